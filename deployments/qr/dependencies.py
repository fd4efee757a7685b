"""What the endpoints about scans use, created once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.ports import DoorCommands, GymClient, Replies
from deployments.qr.offline_uploads import OfflineUploads
from domain.clock import Clock
from domain.gyms.model import Gate


@dataclass(frozen=True, slots=True)
class ScanDependencies:
    """What the endpoints use. `deadline_s`: how long a command may take, in seconds."""

    gym: GymClient
    gates: ConfirmedCache[Gate]
    uploads: OfflineUploads
    replies: Replies
    commands: DoorCommands
    clock: Clock
    deadline_s: float


async def _scans(request: Request) -> ScanDependencies:
    scans: ScanDependencies = request.app.state.scans
    return scans


OfScans = Annotated[ScanDependencies, Depends(_scans)]
