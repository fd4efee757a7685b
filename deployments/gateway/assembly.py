"""Builds the gateway from its dependencies."""

from dataclasses import dataclass
from typing import NamedTuple

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
from deployments.http.pictures import Pictures
from deployments.http.ports import (
    DoorCommands,
    GymClient,
    IdentityClient,
    PassIssuer,
    PaymentsClient,
    Ping,
    Replies,
    VerifiesTokens,
)
from deployments.http.route_guard import RouteGuard
from deployments.http.threaded_image_store import ThreadedImageStore
from deployments.http.uploads import UPLOADS, Uploads
from deployments.service_host import HealthService
from domain.clock import Clock
from domain.images.ports import ImageStore
from integrations.settings import Settings


@dataclass(frozen=True, slots=True)
class Backends:
    """What the gateway depends on."""

    gym: GymClient
    identity: IdentityClient
    qr: PassIssuer
    scanner: Ping
    replies: Replies
    commands: DoorCommands
    tokens: VerifiesTokens
    payments: PaymentsClient
    images: ImageStore


class Assembled(NamedTuple):
    """The gateway's ASGI application, and the dependencies of its endpoints."""

    app: AsgiApplication
    deps: Dependencies


def assemble(
    backends: Backends,
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
        backends: what it depends on.
        settings: limits of the door and of the API.
        clock: the present.
        freshness: of cached devices, gates and sessions.
        on_stop: called at the end, when the dependencies are not needed any more.
        names_request: see `AsgiApplication`.
        rest: of a gateway with the same settings; see `like` of `build_rest`.
    """
    authenticator = open_authenticator(backends.gym, backends.identity, backends.tokens, freshness, settings.api)
    sightings = DeviceSightings(backends.gym)
    images = ThreadedImageStore(backends.images)
    deps = Dependencies(
        gym=backends.gym,
        identity=backends.identity,
        qr=backends.qr,
        payments=backends.payments,
        replies=backends.replies,
        commands=backends.commands,
        pictures=Pictures(images, presigned=settings.images.presigned),
        uploads=Uploads(images, settings.images),
        readiness=_readiness(backends),
        clock=clock,
        settings=settings,
    )

    guard = RouteGuard.of(RIGHTS, authenticator, settings.api, on_device=sightings.noting(clock))
    app = AsgiApplication(
        build_rest(deps, guard, like=rest),
        RequestLimits.of(settings, forms=FORMS, larger=LARGER_BODIES, uploads=UPLOADS),
        clock,
        lifespan=Lifespan(authenticator, sightings, on_stop=on_stop),
        names_request=names_request,
    )
    return Assembled(app, deps)


def _readiness(backends: Backends) -> Readiness:
    async def gym() -> bool:
        return await backends.gym(HealthService.ping)

    async def database() -> bool:
        return await backends.gym(HealthService.ping_database)

    async def qr() -> bool:
        await backends.qr.ping()
        return True

    async def scans() -> bool:
        await backends.scanner()
        return True

    async def kafka_replies() -> bool:
        return backends.replies.ready and backends.replies.healthy

    async def payments() -> bool:
        # Does not ask the payment provider: its state says nothing about this service.
        return await backends.payments(HealthService.ping)

    required = {"gym": gym, "database": database, "qr": qr, "scans": scans, "kafka_replies": kafka_replies}
    return Readiness(required, shown={"payments": payments})
