"""The other deployments, reached by their handles. Whatever fails on the way is `unavailable`."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

import structlog
from ray.exceptions import RayActorError, RaySystemError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.gym.desk import GymDesk
from deployments.http.door_replies import DoorAnswer
from deployments.http.ports import Ping
from deployments.http.problems import ApiProblem, later
from deployments.identity.desk import CALLERS_WAIT_S, IdentityDesk
from deployments.payments.desk import PaymentsDesk
from deployments.qr.passes import ImageKind, IssuedPass
from deployments.store_desk import StoreAwayError, StoreDesk
from domain.door.machine_model import MachineAction
from domain.door.model import PassReading
from domain.identity.ports import MailAwayError, ProviderAwayError
from domain.payments.ports import PaymentsAwayError

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")

_ANSWER_WITHIN_S = 5.0
_PICTURE_WITHIN_S = 15.0  # made anew, and written to a store that may be far away
_PAYMENTS_WITHIN_S = 8.0
_PROVIDER_WITHIN_S = 27.0  # Stripe's SDK asks again by itself; Serve ends a request after 30 s
_ASKS_PROVIDER: tuple[Callable[..., Any], ...] = (
    *(PaymentsDesk.open_checkout, PaymentsDesk.open_checkout_for, PaymentsDesk.settle, PaymentsDesk.returned),
    *(PaymentsDesk.refund, PaymentsDesk.reconcile),
)
_SLOW: tuple[Callable[..., Any], ...] = (
    *(GymDesk.create_machine, GymDesk.set_machine_image, GymDesk.set_picture),
    GymDesk.machine_labels,
)
_BEHIND = {
    StoreAwayError: "database",
    ProviderAwayError: "identity provider",
    MailAwayError: "mail",
    PaymentsAwayError: "payment provider",
}
_log = structlog.get_logger(__name__)


async def _call(handle: DeploymentHandle[Any], within_s: float, name: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - typed by its callers
    try:
        async with asyncio.timeout(within_s):
            return await getattr(handle, name).remote(*args, **kwargs)
    except (RayServeException, RayActorError, RaySystemError, TaskCancelledError, TimeoutError) as error:
        raise _away(handle.deployment_name, error) from error
    except Exception as error:
        cause = error.cause if isinstance(error, RayTaskError) else error
        for kind, part in _BEHIND.items():
            if isinstance(cause, kind):
                raise _away(part, error) from error
        raise


def _away(part: str, error: Exception) -> ApiProblem:
    _log.warning("part_away", part=part, error=type(error).__name__)
    return later("unavailable", f"A part of the system is away: {part}.", seconds=2)


class DeskByHandle(Generic[D]):
    """A deployment that answers as a desk does; see `ports.AskDesk`.

    Args:
        handle: of the deployment.
        within_s: how long an answer may take.
        patience: of which methods it may take otherwise.
    """

    def __init__(
        self, handle: DeploymentHandle[Any], within_s: float, patience: Mapping[str, float] | None = None
    ) -> None:
        self._handle = handle
        self._within_s = within_s
        self._patience = patience or {}

    async def __call__(self, method: Callable[Concatenate[D, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `ports.AskDesk`."""
        name = method.__name__
        does = str(args[1]) if name == StoreDesk.once.__name__ else name
        answer: R = await _call(self._handle, self._patience.get(does, self._within_s), name, *args, **kwargs)
        return answer


def gym_by_handle(handle: DeploymentHandle[Any]) -> DeskByHandle[GymDesk]:
    """The Gym deployment."""
    return DeskByHandle(handle, _ANSWER_WITHIN_S, {method.__name__: _PICTURE_WITHIN_S for method in _SLOW})


def identity_by_handle(handle: DeploymentHandle[Any]) -> DeskByHandle[IdentityDesk]:
    """The Identity deployment."""
    return DeskByHandle(handle, CALLERS_WAIT_S)


def payments_by_handle(handle: DeploymentHandle[Any]) -> DeskByHandle[PaymentsDesk]:
    """The Payments deployment."""
    return DeskByHandle(handle, _PAYMENTS_WITHIN_S, {method.__name__: _PROVIDER_WITHIN_S for method in _ASKS_PROVIDER})


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
        asked = (member_id, machine_id, action)
        answer: DoorAnswer = await _call(self._gateway, _ANSWER_WITHIN_S, "machine_by_member", *asked)
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
