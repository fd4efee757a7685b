"""The live view on a gym of the tests' own."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from deployments.gym.live import LiveService
from deployments.http.ports import GymClient
from deployments.http.problems import retryable
from deployments.live.gym_watch import Pace, Sources
from deployments.live.hub import Hub
from deployments.live.metrics import LiveMetrics
from deployments.live.stream import Stream
from domain.door.list_model import Inside
from domain.gyms.model import GymProblem, GymRefusal
from domain.ids import new_id
from domain.live.model import LiveReading, MachineCount, TrendMinute
from domain.live.service_level import ScanWindow, level_of
from domain.live.trend import minute_of
from integrations.metrics_registry import MetricsRegistry
from tests.world import START

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class StandInEvents:
    following: bool = True


@dataclass
class StandInGym:
    """Answers as `Gym` does, by numbers that tests set; remembers when it was asked."""

    occupancy: int = 0
    away: bool = False
    unknown: bool = False
    retired: bool = False
    takes_s: float = 0.0
    asked_at: list[float] = field(default_factory=list)
    asked_names: list[bool] = field(default_factory=list)
    levels: int = 0
    now: Callable[[], datetime] = lambda: START

    async def __call__(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        await asyncio.sleep(self.takes_s)
        if self.away:
            raise retryable("unavailable", "away")
        if method is LiveService.service_level:
            self.levels += 1
            return level_of(ScanWindow(args[0], START, START, 500, limited=False), [], [])
        self.asked_at.append(asyncio.get_running_loop().time())
        self.asked_names.append(kwargs["names"])
        if self.unknown or (self.retired and not kwargs["names"]):
            return GymRefusal(GymProblem.UNKNOWN_GYM, "There is no such gym.")
        return self.reading(args[0], names=kwargs["names"])

    async def once(self, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401
        raise AssertionError("the live view changes nothing")

    def reading(self, gym_id: UUID, *, names: bool) -> LiveReading:
        inside = (Inside(new_id(), new_id(), "Mia Example", START, None, "Front door"),) if names else None
        trend = (TrendMinute(minute_of(START), self.occupancy, 0, self.occupancy),)
        machines = {"bench": MachineCount(1, 2)}
        return LiveReading(gym_id, self.occupancy, 100, self.now(), trend, machines, inside, self.retired)


class HubHarness:
    """A hub, the gym behind it, and a clock that goes with the event loop's."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.gym = StandInGym(now=self.now)
        self.events = StandInEvents()
        self.tally = MetricsRegistry()
        self.counts = LiveMetrics(self.tally)
        asked: GymClient = self.gym
        sources = Sources(asked, asyncio.Semaphore(2), self.events, self.now, pace or Pace(), self.counts)
        self.hub = Hub(sources)

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass(frozen=True)
class Event:
    """One event of a stream, taken apart."""

    name: str
    data: dict[str, Any]
    id: int | None


def parsed(frame: bytes) -> Event:
    """An event as a client reads it."""
    assert frame.endswith(b"\n\n")
    fields = dict(line.split(": ", 1) for line in frame.decode().strip().splitlines())
    return Event(fields["event"], json.loads(fields["data"]), int(fields["id"]) if "id" in fields else None)


async def taken(stream: Stream) -> Event:
    """The next event of a stream."""
    frame, _ = await stream.take()
    return parsed(frame)
