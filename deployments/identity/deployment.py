"""The Identity deployment as Ray Serve runs it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.backend import open_backend
from deployments.identity.services import ANSWERS_WITHIN_S, identity_services
from deployments.identity.sessions import SessionService
from deployments.service_host import HealthService, MethodName, ServiceHost, open_store
from domain.idempotency import IdempotentRequest, KeyState
from integrations.device_cookies import DeviceCookies
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings

_SESSION_THREADS = 2
_NEVER_SLOW = {SessionService.__name__, HealthService.__name__}


class IdentityDeployment(Replica):
    """Answers calls by handle, on two groups of threads, which together are as many as there are connections.

    Most services hash passwords or call the identity provider, and their threads may all be busy with that. Sessions
    are confirmed on threads of their own, because gateways refuse members whose sessions are not confirmed (decision
    0010).
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.closing.add("store", store.close)
        keys_kept_for = timedelta(hours=own.api.idempotency_hours)
        devices = DeviceCookies(own.passes.key_dir, timedelta(days=own.identity.known_device_days))
        services = identity_services(
            store, open_backend(own), own.identity, devices=devices, keys_kept_for=keys_kept_for
        )
        self._host = ServiceHost(services, keys_kept_for=keys_kept_for, within_s=ANSWERS_WITHIN_S)
        self._session_threads = ThreadPoolExecutor(_SESSION_THREADS, "sessions")
        self._threads = ThreadPoolExecutor(max(1, own.database.pool_size - _SESSION_THREADS), "identity")
        for threads in (self._session_threads, self._threads):
            self.closing.add("threads", partial(threads.shutdown, wait=False, cancel_futures=True))

    async def call(self, name: MethodName, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see `ServiceHost`
        """See `ServiceHost.call`."""
        threads = self._session_threads if name.service in _NEVER_SLOW else self._threads
        work = partial(self._host.call, name, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    async def call_once(
        self,
        request: IdempotentRequest,
        name: MethodName,
        *args: Any,  # noqa: ANN401 - see `ServiceHost`
        **kwargs: Any,  # noqa: ANN401 - see `ServiceHost`
    ) -> IdempotentAnswer[Any] | KeyState:
        """See `ServiceHost.call_once`."""
        work = partial(self._host.call_once, request, name, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
