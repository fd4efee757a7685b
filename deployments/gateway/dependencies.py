"""What the endpoints work with, put together once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.gateway.system.readiness import Readiness
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.pictures import Pictures
from deployments.http.ports import AskGym, AskIdentity, AskPayments, AskQr, DoorCommands, Replies
from deployments.http.rate_limits import RateLimit
from deployments.http.uploads import Uploads
from deployments.qr.scan_exchange import ScanExchange
from domain.clock import Clock
from domain.gyms.model import Gate
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


OfParts = Annotated[Parts, Depends(_parts)]
