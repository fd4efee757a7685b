"""What the endpoints work with, put together once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.gateway.system.readiness import Readiness
from deployments.http.auth import Asker, DeviceAsker, UserAsker
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.pictures import Pictures
from deployments.http.ports import AskGym, AskIdentity, AskPayments, AskQr, DoorCommands, Replies
from deployments.http.rate_limits import RateLimit
from deployments.http.uploads import Uploads
from deployments.qr.scan_exchange import ScanExchange
from domain.clock import Clock
from domain.gyms.model import Gate
from domain.identity.model import Client
from integrations.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that an endpoint may ask."""

    gym: AskGym
    identity: AskIdentity
    qr: AskQr
    payments: AskPayments
    exchange: ScanExchange
    gates: ConfirmedCache[Gate]
    replies: Replies
    commands: DoorCommands
    pictures: Pictures
    uploads: Uploads
    upload_rate: RateLimit
    readiness: Readiness
    clock: Clock
    settings: Settings


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


async def _client(request: Request) -> Client:
    client: Client = request.state.client
    return client


OfParts = Annotated[Parts, Depends(_parts)]
WhoeverAsks = Annotated[Asker, Depends(_asker)]
TheUser = Annotated[UserAsker, Depends(_user)]
TheClient = Annotated[Client, Depends(_client)]
