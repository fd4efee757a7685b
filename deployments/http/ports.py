"""The interfaces of what HTTP applications use: other deployments, the door, tokens. Tests pass their own."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from deployments.gym.services import AnyGymService
from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.services import AnyIdentityService
from deployments.payments.services import AnyPaymentService
from deployments.qr.passes import ImageKind, IssuedPass
from domain.door.model import PassReading
from domain.idempotency import IdempotentRequest, KeyState
from domain.identity.model import Caller
from integrations.kafka.messages import DoorCommand, DoorReply, ReplyTo

GymService_ = TypeVar("GymService_", bound=AnyGymService)
IdentityService_ = TypeVar("IdentityService_", bound=AnyIdentityService)
PaymentService_ = TypeVar("PaymentService_", bound=AnyPaymentService)
P = ParamSpec("P")
R = TypeVar("R")


class IdempotentClient(Protocol):
    """A deployment that answers calls under an idempotency key."""

    async def once(
        self,
        request: IdempotentRequest,
        method: Callable[Concatenate[Any, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> IdempotentAnswer[R] | KeyState:
        """Call a service's method that takes a `call`; see `ServiceHost.call_once`."""


class ServiceClient(IdempotentClient, Protocol):
    """Any of the deployments below."""

    async def __call__(self, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `GymClient`."""


class GymClient(IdempotentClient, Protocol):
    """The Gym deployment. A call names a method of one of its services, such as `gym(GymService.create, details)`."""

    async def __call__(
        self, method: Callable[Concatenate[GymService_, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call the method.

        Raises:
            ApiProblem: `unavailable`, if there is no answer.
        """


class IdentityClient(IdempotentClient, Protocol):
    """The Identity deployment, called as `GymClient` is."""

    async def __call__(
        self, method: Callable[Concatenate[IdentityService_, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """See `GymClient`."""


class PaymentsClient(IdempotentClient, Protocol):
    """The Payments deployment, called as `GymClient` is."""

    async def __call__(
        self, method: Callable[Concatenate[PaymentService_, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """See `GymClient`."""


class PassIssuer(Protocol):
    """The QrIssuer deployment."""

    async def issue(self, member_id: UUID, count: int) -> list[IssuedPass]:
        """The present code of a member and those that follow."""

    async def image(
        self, member_id: UUID, kind: ImageKind, pixels: int | None = None, validity: timedelta | None = None
    ) -> bytes:
        """The picture of the present code; `pixels` is the width of a PNG, `validity` that of a long-lived pass."""

    async def read(self, code: str) -> PassReading:
        """What a code says now."""

    async def public_keys(self) -> dict[str, str]:
        """The public keys of the passes, by their ids."""

    async def ping(self) -> None:
        """Return if it can do its work."""


Ping = Callable[[], Awaitable[None]]
"""Returns if a deployment can work now; raises otherwise."""


class Replies(Protocol):
    """Where the door's replies arrive."""

    @property
    def ready(self) -> bool:
        """Whether all replies from now on are received."""

    @property
    def healthy(self) -> bool:
        """Whether it still receives."""

    @property
    def reply_to(self) -> ReplyTo:
        """What a command names so that its reply arrives here."""

    def expect(self, command_id: UUID) -> asyncio.Future[DoorReply]:
        """The reply to a command that is about to be sent."""

    def forget(self, command_id: UUID) -> None:
        """The reply is not awaited any more."""


class DoorCommands(Protocol):
    """Sends commands that are not scans to the door."""

    async def send(self, command: DoorCommand, gym_id: UUID, decide_by: datetime) -> DoorReply:
        """Send a command and await its reply."""


class VerifiesTokens(Protocol):
    """Tokens of one kind."""

    async def verify(self, token: str) -> Caller:
        """The user of a token."""
