"""Runs the services of a deployment: each remote call names one method of one service class."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from deployments.idempotent_calls import IdempotentAnswer, IdempotentCall, KeyRefusedError
from domain.clock import Clock, system_clock
from domain.idempotency import IdempotentRequest, KeyState
from domain.unit_of_work import Store, is_unavailable
from integrations.replica import Replica
from integrations.settings import DatabaseSettings
from integrations.time_limit import time_limit


class DatabaseUnavailableError(Exception):
    """The database does not answer, or has no free connection. Can be pickled, so it crosses processes."""


class MethodName(NamedTuple):
    """A public method of a service class, as plain data that crosses a handle."""

    service: str
    method: str


def name_of(method: Callable[..., Any]) -> MethodName:
    """The name of a service's method, such as `GymService.create`."""
    service, _, name = method.__qualname__.rpartition(".")
    return MethodName(service, name)


class HealthService:
    """Whether a deployment and its database answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ping(self) -> bool:
        """Answer, whether or not the database does."""
        return True

    def ping_database(self) -> bool:
        """Answer once the database has answered."""
        self._store.ping()
        return True


class ServiceHost:
    """Calls the services of one deployment by the names of their classes. Safe to share between threads.

    Args:
        services: a dataclass whose fields are the services.
        clock: the present.
        keys_kept_for: how long a repeated call gets the first answer.
        within_s: the limit of each call, in seconds (`integrations.time_limit`); None: no limit.
    """

    def __init__(
        self,
        services: Any,  # noqa: ANN401 - any dataclass of services
        *,
        clock: Clock = system_clock,
        keys_kept_for: timedelta = timedelta(hours=24),
        within_s: float | None = None,
    ) -> None:
        held = [getattr(services, one.name) for one in fields(services)]
        self._services = {type(service).__name__: service for service in held}
        self._clock = clock
        self._keys_kept_for = keys_kept_for
        self._within_s = within_s

    def call(self, name: MethodName, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of any method
        """Call a method of a service.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        if name.method.startswith("_"):
            raise ValueError(f"{name.method} is not a public method")
        method = getattr(self._services[name.service], name.method)
        with _plain_database_errors(), time_limit(self._within_s) if self._within_s else nullcontext():
            return method(*args, **kwargs)

    def call_once(
        self,
        request: IdempotentRequest,
        name: MethodName,
        *args: Any,  # noqa: ANN401 - as above
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> IdempotentAnswer[Any] | KeyState:
        """Call a method that takes a `call`, under an idempotency key.

        Returns:
            Its answer, or why the key cannot be used: `RUNNING`, `OTHER_REQUEST`, or `ANSWERED` (and unreadable).

        Raises:
            DatabaseUnavailableError: as of `call`.
        """
        call = IdempotentCall(request, self._clock(), self._keys_kept_for)
        try:
            value = self.call(name, *args, call=call, **kwargs)
        except KeyRefusedError as refused:
            return refused.state
        return IdempotentAnswer(value, call.replayed)


class ServiceReplica(Replica):
    """The base of a deployment that has a `ServiceHost`. Serve runs its methods on threads."""

    host: ServiceHost

    def call(self, name: MethodName, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see `ServiceHost`
        """See `ServiceHost.call`."""
        return self.host.call(name, *args, **kwargs)

    def call_once(
        self,
        request: IdempotentRequest,
        name: MethodName,
        *args: Any,  # noqa: ANN401 - see `ServiceHost`
        **kwargs: Any,  # noqa: ANN401 - see `ServiceHost`
    ) -> IdempotentAnswer[Any] | KeyState:
        """See `ServiceHost.call_once`."""
        return self.host.call_once(request, name, *args, **kwargs)


def open_store(settings: DatabaseSettings) -> Store:
    """Open the database for one replica."""
    return Store(
        settings.url.get_secret_value(),
        pool_size=settings.pool_size,
        statement_timeout_s=settings.statement_timeout_s,
    )


@contextmanager
def _plain_database_errors() -> Iterator[None]:
    try:
        yield
    except NoConnectionFreeError as error:
        raise DatabaseUnavailableError("no connection became free") from error
    except DBAPIError as error:
        if is_unavailable(error):
            raise DatabaseUnavailableError("the database does not answer") from error
        raise
