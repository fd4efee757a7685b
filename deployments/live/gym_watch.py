"""Watches one gym: reads it after changes, at a limited rate, and sends it to all its streams."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from deployments.gym.live import LiveService
from deployments.http.ports import GymClient
from deployments.http.problems import ApiProblem, retryable
from deployments.live.metrics import LiveMetrics
from deployments.live.schemas import SnapshotDocument, StaffSnapshotDocument, encoded
from deployments.live.server_sent_events import End, snapshot_frame
from deployments.live.stream import Stream, View
from domain.clock import Clock
from domain.gyms.model import UNKNOWN_GYM, GymRefusal
from domain.live.model import LiveReading, TrendMinute
from domain.live.service_level import ServiceLevel
from domain.live.trend import joined

SERVICE_OVER = timedelta(minutes=15)
SERVICE_OF_SCANS = 500
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Read intervals of a watched gym, in seconds.

    Args:
        least_s: minimum time between the starts of two reads.
        calm_s: maximum time, because the trend moves on and an event may be lost.
        away_s: maximum time while changes are not received, or after a failed read.
        service_s: minimum time between two reads of the service level.
    """

    least_s: float = 0.25
    calm_s: float = 30.0
    away_s: float = 3.0
    service_s: float = 10.0


class Events(Protocol):
    """Source of changes."""

    @property
    def following(self) -> bool:
        """Whether changes are received."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Dependencies of all watched gyms.

    Args:
        gym: reads gyms.
        turns: limits concurrent reads, because doors use the same deployment.
        events: source of changes.
        clock: current time.
        pace, counts: see there.
    """

    gym: GymClient
    turns: asyncio.Semaphore
    events: Events
    clock: Clock
    pace: Pace
    counts: LiveMetrics


class GymWatch:
    """Reads one gym for its streams. For one event loop.

    Args:
        gym_id: the gym.
        sources: dependencies.
    """

    def __init__(self, gym_id: UUID, sources: Sources) -> None:
        self._gym_id = gym_id
        self._sources = sources
        self.streams: set[Stream] = set()
        self._frames: dict[View, bytes] = {}
        self._openers: dict[asyncio.Future[None], View] = {}
        self._changed = asyncio.Event()
        self._decided_at: datetime | None = None  # of the oldest change that was not read yet
        self._reading: LiveReading | None = None
        self._trend: tuple[TrendMinute, ...] = ()
        self._service: ServiceLevel | None = None
        self._service_at = float("-inf")
        self._away = False
        self._version = 0

    def change(self, decided_at: datetime | None = None) -> None:
        """Mark the gym as changed."""
        self._note(decided_at)
        self._changed.set()

    async def join(self, stream: Stream) -> None:
        """Give a stream its first snapshot, the current one or a new one.

        Raises:
            ApiProblem: the gym does not exist, or cannot be read and was never read before.
        """
        self.streams.add(stream)
        if stream.view not in self._frames:
            read = asyncio.get_running_loop().create_future()
            self._openers[read] = stream.view
            self.change()
            try:
                await read
            finally:
                del self._openers[read]
        elif not stream.is_over:
            stream.offer(self._frames[stream.view], asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Read whenever necessary, until cancelled."""
        loop = asyncio.get_running_loop()
        pace = self._sources.pace
        while True:
            self._changed.clear()
            began = loop.time()
            await self._read()
            await asyncio.sleep(max(0.0, began + pace.least_s - loop.time()))
            calm = self._sources.events.following and not self._away
            try:
                async with asyncio.timeout(pace.calm_s if calm else pace.away_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _read(self) -> None:
        decided_at, self._decided_at = self._decided_at, None
        for_staff = any(stream.view is View.STAFF for stream in self.streams)
        known_to = self._trend[-1].minute if self._trend else None
        try:
            async with self._sources.turns:
                found = await self._sources.gym(LiveService.snapshot, self._gym_id, known_to, names=for_staff)
            if isinstance(found, GymRefusal):
                self._refuse(found)
                return
            if for_staff:
                await self._read_service()
            self._show(found, decided_at)
        except ApiProblem as problem:
            self._fail(problem, decided_at)
        except Exception:  # noqa: BLE001 - the streams live on, and it is tried again
            _log.exception("gym_not_read", gym_id=str(self._gym_id))
            self._fail(retryable("unavailable", "The gym cannot be read.", seconds=2), decided_at)

    def _show(self, reading: LiveReading, decided_at: datetime | None) -> None:
        self._sources.counts.read("ok")
        self._away = False
        self._reading = reading
        self._trend = joined(self._trend, reading.trend)
        self._send()
        if reading.retired:
            self._end_for_members()
        if decided_at is not None:
            self._sources.counts.shown(decided_at, self._sources.clock())
        self._admit(None)

    async def _read_service(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._service_at < self._sources.pace.service_s:
            return
        self._service_at = now
        async with self._sources.turns:
            found = await self._sources.gym(LiveService.service_level, self._gym_id, SERVICE_OVER, SERVICE_OF_SCANS)
        if isinstance(found, ServiceLevel):
            self._service = found

    def _send(self) -> None:
        """Encode once per view and send the same bytes to all its streams."""
        reading = self._reading
        assert reading is not None  # noqa: S101 - its callers have read
        degraded = self._away or not self._sources.events.following
        version = self._version = max(self._version + 1, int(self._sources.clock().timestamp() * 1000))
        self._frames = {}
        if not reading.retired:
            member = SnapshotDocument.of(reading, self._trend, degraded=degraded)
            self._frames[View.MEMBER] = snapshot_frame(version, encoded(member))
        if reading.inside is not None:
            staff = StaffSnapshotDocument.for_staff(reading, self._trend, self._service, degraded=degraded)
            self._frames[View.STAFF] = snapshot_frame(version, encoded(staff))
        now = asyncio.get_running_loop().time()
        for stream in self.streams:
            if stream.view in self._frames:
                stream.offer(self._frames[stream.view], now)

    def _end_for_members(self) -> None:
        """End the streams of members, because only staff see a retired gym."""
        for stream in self.streams:
            if stream.view is View.MEMBER:
                stream.end(End.GONE)
        for opener, view in self._openers.items():
            if view is View.MEMBER and not opener.done():
                opener.set_exception(ApiProblem(UNKNOWN_GYM.problem.value, UNKNOWN_GYM.detail))

    def _refuse(self, refusal: GymRefusal) -> None:
        self._sources.counts.read("refused")
        self._frames = {}
        for stream in self.streams:
            stream.end(End.GONE)
        self._admit(ApiProblem(refusal.problem.value, refusal.detail))

    def _fail(self, problem: ApiProblem, decided_at: datetime | None) -> None:
        self._sources.counts.read("failed")
        self._note(decided_at)
        if self._reading is not None and not self._away:
            self._away = True
            self._send()
        self._away = True
        self._admit(problem)

    def _note(self, decided_at: datetime | None) -> None:
        if decided_at is not None and (self._decided_at is None or decided_at < self._decided_at):
            self._decided_at = decided_at

    def _admit(self, problem: ApiProblem | None) -> None:
        """Resolve the streams that wait for their first snapshot."""
        for opener, view in self._openers.items():
            if opener.done():
                continue
            if problem is not None:
                opener.set_exception(problem)
            elif view in self._frames:
                opener.set_result(None)
