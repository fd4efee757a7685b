"""Builds the service of scans from its dependencies."""

from dataclasses import dataclass
from typing import NamedTuple

from deployments.gym.desk import GymDesk
from deployments.http.auth import Callers
from deployments.http.background_tasks import Part
from deployments.http.confirmed_cache import ConfirmedCache, Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.ports import AskGym, AskPayments, DoorCommands, Replies
from deployments.http.rate_limits import RateLimit
from deployments.qr.dependencies import ScanDependencies
from deployments.qr.offline_uploads import OfflineUploads
from deployments.qr.scan_commands import Producer, ScanCommands
from deployments.qr.scan_service import ScanService, Verifier
from domain.clock import Clock
from integrations.settings import Settings
from integrations.tally import Tally


@dataclass(frozen=True, slots=True)
class ScanOthers:
    """What scans depend on."""

    gym: AskGym
    payments: AskPayments
    verifier: Verifier
    producer: Producer
    replies: Replies
    commands: DoorCommands


class Scans(NamedTuple):
    """The direct endpoint, what the other endpoints use, and what starts and stops with the application."""

    service: ScanService
    dependencies: ScanDependencies
    parts: tuple[Part, ...]


def build_scans(
    others: ScanOthers,
    callers: Callers,
    sightings: DeviceSightings,
    settings: Settings,
    clock: Clock,
    freshness: Freshness,
    tally: Tally,
) -> Scans:
    """Build what answers scans."""
    gates = ConfirmedCache(lambda ids: others.gym(GymDesk.gates_by_id, ids), freshness=freshness)
    commands = ScanCommands(others.replies, others.producer, others.payments, tally)
    door = settings.door
    service = ScanService(
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
    dependencies = ScanDependencies(others.gym, gates, uploads, others.replies, others.commands, clock, door.deadline_s)
    return Scans(service, dependencies, (gates,))
