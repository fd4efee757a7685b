"""Builds the scanner from its dependencies."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from deployments.gym.gates import GateService
from deployments.http.api_rights import RIGHTS
from deployments.http.asgi import AsgiApplication, RequestLimits
from deployments.http.auth import open_authenticator
from deployments.http.background_tasks import Lifespan, Step
from deployments.http.confirmed_cache import USUAL, ConfirmedCache, Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.fastapi_app import guarded_app
from deployments.http.ports import AskGym, AskIdentity, AskPayments, DoorCommands, Replies, VerifiesTokens
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

    gym: AskGym
    identity: AskIdentity
    payments: AskPayments
    tokens: VerifiesTokens
    verifier: Verifier
    producer: Producer
    replies: Replies
    commands: DoorCommands


class Scanner(NamedTuple):
    """The ASGI application, and the service behind its direct endpoint."""

    shell: AsgiApplication
    scans: ScanService


def assemble_scanner(
    others: ScannerBackends,
    settings: Settings,
    clock: Clock,
    *,
    freshness: Freshness = USUAL,
    on_stop: Step | None = None,
    names_request: bool = True,
    tally: MetricsRegistry | None = None,
) -> Scanner:
    """Build the scanner's ASGI application.

    Args:
        others: what it depends on.
        settings: limits of the door and of the API.
        clock: the present.
        freshness: of cached devices, gates and sessions.
        on_stop: called at the end, when the dependencies are not needed any more.
        names_request: see `AsgiApplication`.
        tally: counts scans.
    """
    tally = tally or MetricsRegistry()
    door = settings.door
    callers = open_authenticator(others.gym, others.identity, others.tokens, freshness, settings.api)
    gates = ConfirmedCache(lambda ids: others.gym(GateService.gates_by_id, ids), freshness=freshness)
    sightings = DeviceSightings(others.gym)
    commands = ScanCommands(others.replies, others.producer, others.payments, tally)
    scans = ScanService(
        callers=callers,
        gates=gates,
        verifier=others.verifier,
        commands=commands,
        replies=others.replies,
        rate=RateLimit(door.scans_per_device_per_second),
        deadline_s=door.deadline_s,
        sightings=sightings,
        clock=clock,
        tally=tally,
    )
    uploads = OfflineUploads(
        gates=gates,
        verifier=others.verifier,
        commands=commands,
        replies=others.replies,
        rate=RateLimit(door.scans_per_device_per_second),
        deadline_s=door.deadline_s,
        clock=clock,
    )

    def seen(device_id: UUID) -> None:
        sightings.note(device_id, clock(), None)

    app = guarded_app(
        "FIT Monitor, scans",
        "Described in the API's document.",
        [scan_routes.router()],
        RouteGuard.of(RIGHTS, callers, settings.api, seen=seen),
    )
    app.state.scans = ScanDependencies(
        others.gym, gates, uploads, others.replies, others.commands, clock, door.deadline_s
    )
    shell = AsgiApplication(
        app,
        RequestLimits.of(settings),
        clock,
        lifespan=Lifespan(callers, gates, sightings, on_stop=on_stop),
        direct={SCANS: scans.scan},
        route_suffix=_ROUTE_SUFFIX,
        names_request=names_request,
    )
    return Scanner(shell, scans)
