"""Builds the scanner from its dependencies."""

from dataclasses import dataclass
from typing import NamedTuple

from deployments.gym.gates import GateService
from deployments.http.api_rights import RIGHTS
from deployments.http.asgi import AsgiApplication, RequestLimits
from deployments.http.auth import open_authenticator
from deployments.http.background_tasks import Lifespan, Step
from deployments.http.confirmed_cache import USUAL, ConfirmedCache, Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.fastapi_app import guarded_app
from deployments.http.ports import DoorCommands, GymClient, IdentityClient, PaymentsClient, Replies, VerifiesTokens
from deployments.http.rate_limits import RateLimit
from deployments.http.route_guard import RouteGuard
from deployments.qr import scan_routes
from deployments.qr.dependencies import ScanDependencies
from deployments.qr.offline_uploads import OfflineUploads
from deployments.qr.scan_commands import Producer, ScanCommands
from deployments.qr.scan_service import SCANS, ScanService, Verifier
from domain.clock import Clock
from integrations.metrics_registry import MetricsRegistry
from integrations.settings import Settings

_ROUTE_SUFFIX = "/scans"
"""Serve's prefix is `/api/scans`; the paths of the API, and of the table of rights, begin below `/api`."""


@dataclass(frozen=True, slots=True)
class ScannerBackends:
    """What the scanner depends on."""

    gym: GymClient
    identity: IdentityClient
    payments: PaymentsClient
    tokens: VerifiesTokens
    verifier: Verifier
    producer: Producer
    replies: Replies
    commands: DoorCommands


class Scanner(NamedTuple):
    """The ASGI application, and the service behind its direct endpoint."""

    app: AsgiApplication
    scans: ScanService


def assemble_scanner(
    backends: ScannerBackends,
    settings: Settings,
    clock: Clock,
    *,
    freshness: Freshness = USUAL,
    on_stop: Step | None = None,
    names_request: bool = True,
    metrics: MetricsRegistry | None = None,
) -> Scanner:
    """Build the scanner's ASGI application.

    Args:
        backends: what it depends on.
        settings: limits of the door and of the API.
        clock: the present.
        freshness: of cached devices, gates and sessions.
        on_stop: called at the end, when the dependencies are not needed any more.
        names_request: see `AsgiApplication`.
        metrics: counts scans.
    """
    metrics = metrics or MetricsRegistry()
    door = settings.door
    authenticator = open_authenticator(backends.gym, backends.identity, backends.tokens, freshness, settings.api)
    gates = ConfirmedCache(lambda ids: backends.gym(GateService.gates_by_id, ids), freshness=freshness)
    sightings = DeviceSightings(backends.gym)
    commands = ScanCommands(backends.replies, backends.producer, backends.payments, metrics)
    scans = ScanService(
        authenticator=authenticator,
        gates=gates,
        verifier=backends.verifier,
        commands=commands,
        replies=backends.replies,
        rate=RateLimit(door.scans_per_device_per_second),
        deadline_s=door.deadline_s,
        sightings=sightings,
        clock=clock,
        metrics=metrics,
    )
    uploads = OfflineUploads(
        gates=gates,
        verifier=backends.verifier,
        commands=commands,
        replies=backends.replies,
        rate=RateLimit(door.scans_per_device_per_second),
        deadline_s=door.deadline_s,
        clock=clock,
    )

    app = guarded_app(
        "FIT Monitor, scans",
        "Described in the API's document.",
        [scan_routes.router()],
        RouteGuard.of(RIGHTS, authenticator, settings.api, on_device=sightings.noting(clock)),
    )
    app.state.scans = ScanDependencies(
        backends.gym, gates, uploads, backends.replies, backends.commands, clock, door.deadline_s
    )
    scanner = AsgiApplication(
        app,
        RequestLimits.of(settings),
        clock,
        lifespan=Lifespan(authenticator, gates, sightings, on_stop=on_stop),
        direct={SCANS: scans.scan},
        route_suffix=_ROUTE_SUFFIX,
        names_request=names_request,
    )
    return Scanner(scanner, scans)
