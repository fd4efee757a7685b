"""Two thread pools for Identity's calls, so that slow calls do not delay the confirmation of sessions."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.services import DATABASE_ONLY
from deployments.service_host import MethodName, ServiceHost
from domain.idempotency import IdempotentRequest, KeyState

_DATABASE_ONLY_THREADS = 2


class ThreadPools:
    """Calls of a `ServiceHost` on threads.

    Most services hash passwords or call the identity provider, and all of their threads may wait for that. Services
    that only use the database have threads of their own: gateways refuse members whose sessions they cannot confirm.

    Args:
        connections: the size of the connection pool. There are as many threads, so that none waits for a connection.
    """

    def __init__(self, host: ServiceHost, connections: int) -> None:
        self._host = host
        self._database_only = ThreadPoolExecutor(_DATABASE_ONLY_THREADS, "database")
        self._others = ThreadPoolExecutor(max(1, connections - _DATABASE_ONLY_THREADS), "identity")

    async def call(self, name: MethodName, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see `ServiceHost`
        """See `ServiceHost.call`."""
        threads = self._database_only if name.service in DATABASE_ONLY else self._others
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
        return await asyncio.get_running_loop().run_in_executor(self._others, work)

    def close(self) -> None:
        """Start no further call. Running calls end on their own."""
        for threads in (self._database_only, self._others):
            threads.shutdown(wait=False, cancel_futures=True)
