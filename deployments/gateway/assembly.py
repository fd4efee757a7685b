"""Builds the gateway from its dependencies."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from fastapi import FastAPI

from deployments.gateway.dependencies import Dependencies
from deployments.gateway.identity.local_provider.routes import FORMS
from deployments.gateway.payments.routes import LARGER_BODIES
from deployments.gateway.routers import build_rest
from deployments.gateway.system.readiness import Readiness
from deployments.http.api_rights import RIGHTS
from deployments.http.asgi import AsgiApplication, RequestLimits
from deployments.http.auth import open_authenticator
from deployments.http.background_tasks import Lifespan, Step
from deployments.http.confirmed_cache import USUAL, Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.images_by_thread import ImagesByThread
from deployments.http.pictures import Pictures
from deployments.http.ports import (
    AskGym,
    AskIdentity,
    AskPayments,
    DoorCommands,
    PassIssuer,
    Ping,
    Replies,
    VerifiesTokens,
)
from deployments.http.route_guard import RouteGuard
from deployments.http.uploads import UPLOADS, Uploads
from deployments.service_host import HealthService
from domain.clock import Clock
from domain.images.ports import ImageStore
from integrations.settings import Settings


@dataclass(frozen=True, slots=True)
class Backends:
    """What the gateway depends on."""

    gym: AskGym
    identity: AskIdentity
    qr: PassIssuer
    scanner: Ping
    replies: Replies
    commands: DoorCommands
    tokens: VerifiesTokens
    payments: AskPayments
    images: ImageStore


class Assembled(NamedTuple):
    """The gateway's ASGI application, and what its endpoints use."""

    shell: AsgiApplication
    deps: Dependencies


def assemble(
    others: Backends,
    settings: Settings,
    clock: Clock,
    *,
    freshness: Freshness = USUAL,
    on_stop: Step | None = None,
    names_request: bool = True,
    rest: FastAPI | None = None,
) -> Assembled:
    """Build the gateway's ASGI application.

    Args:
        others: what it depends on.
        settings: limits of the door and of the API.
        clock: the present.
        freshness: of cached devices, gates and sessions.
        on_stop: called at the end, when the dependencies are not needed any more.
        names_request: see `AsgiApplication`.
        rest: of a gateway with the same settings; see `like` of `build_rest`.
    """
    callers = open_authenticator(others.gym, others.identity, others.tokens, freshness, settings.api)
    sightings = DeviceSightings(others.gym)
    images = ImagesByThread(others.images)
    deps = Dependencies(
        gym=others.gym,
        identity=others.identity,
        qr=others.qr,
        payments=others.payments,
        replies=others.replies,
        commands=others.commands,
        pictures=Pictures(images, presigned=settings.images.presigned),
        uploads=Uploads(images, settings.images),
        readiness=_readiness(others),
        clock=clock,
        settings=settings,
    )

    def seen(device_id: UUID) -> None:
        sightings.note(device_id, clock(), None)

    gatekeeper = RouteGuard.of(RIGHTS, callers, settings.api, seen=seen)
    shell = AsgiApplication(
        build_rest(deps, gatekeeper, like=rest),
        RequestLimits.of(settings, forms=FORMS, larger=LARGER_BODIES, uploads=UPLOADS),
        clock,
        lifespan=Lifespan(callers, sightings, on_stop=on_stop),
        names_request=names_request,
    )
    return Assembled(shell, deps)


def _readiness(others: Backends) -> Readiness:
    async def gym() -> bool:
        return await others.gym(HealthService.ping)

    async def database() -> bool:
        return await others.gym(HealthService.ping_database)

    async def qr() -> bool:
        await others.qr.ping()
        return True

    async def scans() -> bool:
        await others.scanner()
        return True

    async def kafka_replies() -> bool:
        return others.replies.ready and others.replies.healthy

    async def payments() -> bool:
        return await others.payments(HealthService.ping)  # asks no provider: what hangs there says nothing of this part

    required = {"gym": gym, "database": database, "qr": qr, "scans": scans, "kafka_replies": kafka_replies}
    return Readiness(required, shown={"payments": payments})
