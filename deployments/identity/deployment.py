"""The Identity deployment as Ray Serve runs it."""

from datetime import timedelta
from typing import Any

from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.open_backend import open_backend
from deployments.identity.services import ANSWERS_WITHIN_S, identity_services
from deployments.identity.thread_pools import ThreadPools
from deployments.service_host import MethodName, ServiceHost, open_store
from domain.idempotency import IdempotentRequest, KeyState
from integrations.device_cookies import DeviceCookies
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings


class IdentityDeployment(Replica):
    """Answers calls by handle, on its own threads (decision 0010)."""

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.resources.add("store", store.close)
        keys_kept_for = timedelta(hours=own.api.idempotency_hours)
        devices = DeviceCookies(own.passes.key_dir, timedelta(days=own.identity.known_device_days))
        services = identity_services(
            store, open_backend(own), own.identity, devices=devices, keys_kept_for=keys_kept_for
        )
        host = ServiceHost(services, keys_kept_for=keys_kept_for, within_s=ANSWERS_WITHIN_S)
        self._threads = ThreadPools(host, own.database.pool_size)
        self.resources.add("threads", self._threads.close)

    async def call(self, name: MethodName, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see `ServiceHost`
        """See `ServiceHost.call`."""
        return await self._threads.call(name, *args, **kwargs)

    async def call_once(
        self,
        request: IdempotentRequest,
        name: MethodName,
        *args: Any,  # noqa: ANN401 - see `ServiceHost`
        **kwargs: Any,  # noqa: ANN401 - see `ServiceHost`
    ) -> IdempotentAnswer[Any] | KeyState:
        """See `ServiceHost.call_once`."""
        return await self._threads.call_once(request, name, *args, **kwargs)
