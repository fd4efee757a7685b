"""What the endpoints work with, put together once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.gateway.callers import Asker, Callers, DeviceAsker, UserAsker
from deployments.gateway.confirmed_cache import ConfirmedCache
from deployments.gateway.ports import AskGym, AskQr, DoorCommands, Replies
from deployments.gateway.readiness import Readiness
from domain.clock import Clock
from domain.gyms.model import Gate


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that an endpoint may ask."""

    callers: Callers
    gym: AskGym
    qr: AskQr
    gates: ConfirmedCache[Gate]
    replies: Replies
    commands: DoorCommands
    readiness: Readiness
    deadline_s: float
    clock: Clock


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _asker(request: Request) -> Asker:
    asker: Asker = request.state.asker
    return asker


async def _user(request: Request) -> UserAsker:
    asker: Asker = request.state.asker
    if isinstance(asker, DeviceAsker):
        raise TypeError("the table of rights lets a device call what is for users")
    return asker


OfParts = Annotated[Parts, Depends(_parts)]
WhoeverAsks = Annotated[Asker, Depends(_asker)]
TheUser = Annotated[UserAsker, Depends(_user)]
