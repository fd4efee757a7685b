"""The interfaces of what HTTP applications use: other deployments, the door, tokens. Tests pass their own."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from deployments.gym.desk import GymDesk
from deployments.identity.desk import IdentityDesk
from deployments.payments.desk import PaymentsDesk
from deployments.qr.passes import ImageKind, IssuedPass
from domain.door.model import PassReading
from domain.identity.model import Caller
from integrations.kafka.messages import DoorCommand, DoorReply, ReplyTo

D_co = TypeVar("D_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class AskDesk(Protocol[D_co]):
    """A question to a deployment, named by the method that answers it."""

    async def __call__(self, method: Callable[Concatenate[D_co, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The answer.

        Raises:
            ApiProblem: `unavailable` when there is none.
        """


AskGym = AskDesk[GymDesk]
AskIdentity = AskDesk[IdentityDesk]
AskPayments = AskDesk[PaymentsDesk]


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
        """Whether replies are sure to be seen."""

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


class Tokens(Protocol):
    """Tokens of one kind."""

    async def verify(self, token: str) -> Caller:
        """Whoever a token speaks for."""
