"""Clients of other deployments, by Ray Serve's deployment handles. Every failure of a call is `unavailable`."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog
from ray.exceptions import RayActorError, RaySystemError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.gym.machines import MachineService
from deployments.gym.pictures import PictureService
from deployments.http.door_replies import DoorAnswer
from deployments.http.ports import Ping
from deployments.http.problems import ApiProblem, retryable
from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.services import CALLERS_WAIT_S, DATABASE_ONLY
from deployments.payments.orders import OrderService
from deployments.payments.provider_events import ProviderEventService
from deployments.qr.passes import ImageKind, IssuedPass
from deployments.service_host import DatabaseUnavailableError, MethodName, name_of
from domain.door.machine_model import MachineAction
from domain.door.model import PassReading
from domain.idempotency import IdempotentRequest, KeyState
from domain.identity.ports import MailUnavailableError, ProviderUnavailableError
from domain.payments.ports import PaymentsUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

_ANSWER_WITHIN_S = 5.0
_PICTURE_WITHIN_S = 15.0  # it is re-encoded, and written to a store that may be slow
_PAYMENTS_WITHIN_S = 8.0
_PROVIDER_WITHIN_S = 27.0  # Stripe's SDK asks again by itself; Serve ends a request after 30 s
_ASKS_PROVIDER: tuple[Callable[..., Any], ...] = (
    *(OrderService.open_checkout, OrderService.open_checkout_for, OrderService.settle, OrderService.returned),
    *(OrderService.refund, ProviderEventService.reconcile),
)
_MAKES_PICTURES: tuple[Callable[..., Any], ...] = (
    *(MachineService.create, MachineService.set_image, MachineService.labels),
    PictureService.set,
)
_BEHIND = {
    DatabaseUnavailableError: "database",
    ProviderUnavailableError: "identity provider",
    MailUnavailableError: "mail",
    PaymentsUnavailableError: "payment provider",
}
_log = structlog.get_logger(__name__)


async def _call(handle: DeploymentHandle[Any], within_s: float, name: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - typed by its callers
    try:
        async with asyncio.timeout(within_s):
            return await getattr(handle, name).remote(*args, **kwargs)
    except (RayServeException, RayActorError, RaySystemError, TaskCancelledError, TimeoutError) as error:
        raise _unavailable(handle.deployment_name, error) from error
    except Exception as error:
        cause = error.cause if isinstance(error, RayTaskError) else error
        for kind, part in _BEHIND.items():
            if isinstance(cause, kind):
                raise _unavailable(part, error) from error
        raise


def _unavailable(part: str, error: Exception) -> ApiProblem:
    _log.warning("service_unavailable", service=part, error=type(error).__name__)
    return retryable("unavailable", f"Service unavailable: {part}.", seconds=2)


class ServicesByHandle:
    """A deployment with services (`deployments.service_host`), called by its handle; see `ports.GymClient`.

    Args:
        handle: of the deployment.
        time_limit_s: how long the answer of a method may take, in seconds.
    """

    def __init__(self, handle: DeploymentHandle[Any], time_limit_s: Callable[[MethodName], float]) -> None:
        self._handle = handle
        self._time_limit_s = time_limit_s

    async def __call__(self, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `ports.GymClient`."""
        name = name_of(method)
        answer: R = await _call(self._handle, self._time_limit_s(name), "call", name, *args, **kwargs)
        return answer

    async def once(
        self,
        request: IdempotentRequest,
        method: Callable[Concatenate[Any, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> IdempotentAnswer[R] | KeyState:
        """See `ports.IdempotentClient`."""
        name = name_of(method)
        answer: IdempotentAnswer[R] | KeyState = await _call(
            self._handle, self._time_limit_s(name), "call_once", request, name, *args, **kwargs
        )
        return answer


def gym_by_handle(handle: DeploymentHandle[Any]) -> ServicesByHandle:
    """The Gym deployment."""
    return ServicesByHandle(handle, _limits(_ANSWER_WITHIN_S, _MAKES_PICTURES, _PICTURE_WITHIN_S))


def identity_by_handle(handle: DeploymentHandle[Any]) -> ServicesByHandle:
    """The Identity deployment. Every request of a signed-in user may wait for its sessions, so these get less time."""
    return ServicesByHandle(handle, lambda name: _ANSWER_WITHIN_S if name.service in DATABASE_ONLY else CALLERS_WAIT_S)


def payments_by_handle(handle: DeploymentHandle[Any]) -> ServicesByHandle:
    """The Payments deployment."""
    return ServicesByHandle(handle, _limits(_PAYMENTS_WITHIN_S, _ASKS_PROVIDER, _PROVIDER_WITHIN_S))


def _limits(usual_s: float, slow: Iterable[Callable[..., Any]], slow_s: float) -> Callable[[MethodName], float]:
    slow_names = frozenset(map(name_of, slow))
    return lambda name: slow_s if name in slow_names else usual_s


def ping_by_handle(handle: DeploymentHandle[Any]) -> Ping:
    """The `ping` of a deployment."""

    async def ping() -> None:
        await _call(handle, _ANSWER_WITHIN_S, "ping")

    return ping


class DoorByHandle:
    """The door, for an application that has authenticated its users itself.

    Args:
        scanner: decides scans.
        gateway: decides the use of machines.
    """

    def __init__(self, scanner: DeploymentHandle[Any], gateway: DeploymentHandle[Any]) -> None:
        self._scanner = scanner
        self._gateway = gateway

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> DoorAnswer:
        """See `deployments.qr.scan_service.ScanService.scan_by_staff`."""
        answer: DoorAnswer = await _call(self._scanner, _ANSWER_WITHIN_S, "scan_by_staff", staff_id, body)
        return answer

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> DoorAnswer:
        """See `deployments.gateway.deployment.Gateway.machine_by_member`."""
        args = (member_id, machine_id, action)
        answer: DoorAnswer = await _call(self._gateway, _ANSWER_WITHIN_S, "machine_by_member", *args)
        return answer


class PassIssuerByHandle:
    """The QrIssuer deployment; see `ports.PassIssuer`."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def issue(self, member_id: UUID, count: int) -> list[IssuedPass]:
        """See `ports.PassIssuer`."""
        issued: list[IssuedPass] = await _call(self._handle, _ANSWER_WITHIN_S, "issue", member_id, count)
        return issued

    async def image(
        self, member_id: UUID, kind: ImageKind, pixels: int | None = None, validity: timedelta | None = None
    ) -> bytes:
        """See `ports.PassIssuer`."""
        image: bytes = await _call(self._handle, _ANSWER_WITHIN_S, "image", member_id, kind, pixels, validity)
        return image

    async def read(self, code: str) -> PassReading:
        """See `ports.PassIssuer`."""
        reading: PassReading = await _call(self._handle, _ANSWER_WITHIN_S, "read", code)
        return reading

    async def public_keys(self) -> dict[str, str]:
        """See `ports.PassIssuer`."""
        keys: dict[str, str] = await _call(self._handle, _ANSWER_WITHIN_S, "public_keys")
        return keys

    async def ping(self) -> None:
        """See `ports.PassIssuer`."""
        await _call(self._handle, _ANSWER_WITHIN_S, "ping")
