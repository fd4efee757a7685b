"""A whole benchmark against a running stack: seed, fill, measure, compare the store with the answers, retire."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from cluster.errors import CommandError
from cluster.load.benchmark.burst import Burst, measure_burst
from cluster.load.benchmark.closed_loop import Comparison, Level, measure_inside, measure_level
from cluster.load.benchmark.durability import durable_settings
from cluster.load.benchmark.large_past import LargePast, LargePastOptions, measure_large_past
from cluster.load.benchmark.measured_stack import MeasuredStack, Progress
from cluster.load.benchmark.noop import deployed_noops
from cluster.load.benchmark.open_loop import OpenLoop, greatest_rate, measure_open_loop
from cluster.load.benchmark.other_work import BesideOtherWork, measure_beside_other_work
from cluster.load.benchmark.traffic import ScanTraffic
from cluster.load.invariants import StoreComparison
from cluster.load.passes import signed
from cluster.load.scans import ScanWriter
from cluster.load.world import World
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.unit_of_work import Store
from integrations.pass_keys import PassSigner
from integrations.settings import Settings

_STATEMENT_TIMEOUT_S = 60.0


class Part(StrEnum):
    """The parts of a benchmark, in the order in which they are measured."""

    LEVELS = "levels"
    OPEN = "open"
    BESIDE = "beside"
    BURST = "burst"
    INSIDE = "inside"
    LARGE = "large"


_WITH_SHARED_WORLD = {Part.LEVELS, Part.OPEN, Part.BESIDE}


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What to measure.

    Args:
        parts: which parts.
        connections: one measurement of each kind for each of these.
        seconds: of each measurement.
        refused_share: of the scans, 0 to 1.
    """

    parts: frozenset[Part]
    connections: Sequence[int]
    seconds: float
    gyms: int
    members: int
    seed: int
    refused_share: float
    large: LargePastOptions


class PartResult(Protocol):
    """The result of a part."""

    @property
    def is_good(self) -> bool:
        """Whether every answer came and was right."""

    def as_json(self) -> dict[str, Any]:
        """All figures."""


@dataclass(slots=True)
class BenchmarkResult:
    """The result of a benchmark.

    Args:
        durability: the settings on which durability rests, by name.
        load: what was seeded and sent.
        levels: in the order in which they were measured.
        open, beside, burst, inside, large: the other parts; None where they were not measured.
        around: errors and wrong answers of the scans around the measured ones.
        store: the store compared with the answers.
        admitted_twice: passes that admitted more than once.
        disagreements: between the door's tables.
        examples: sentences about what went wrong.
    """

    durability: Mapping[str, str]
    load: Mapping[str, Any]
    store: StoreComparison
    levels: Sequence[Level] = ()
    open: OpenLoop | None = None
    beside: BesideOtherWork | None = None
    burst: Burst | None = None
    inside: Comparison | None = None
    large: LargePast | None = None
    around: Mapping[str, int] = field(default_factory=dict)
    admitted_twice: int = 0
    disagreements: Sequence[str] = ()
    examples: Sequence[str] = ()

    @property
    def parts(self) -> Mapping[str, PartResult]:
        """The parts that were measured besides the levels, by name."""
        parts: dict[str, PartResult | None] = {
            "open": self.open,
            "beside": self.beside,
            "burst": self.burst,
            "inside": self.inside,
            "large": self.large,
        }
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def is_good(self) -> bool:
        """Whether every answer came, was right, and is stored."""
        measured = all(part.is_good for part in (*self.levels, *self.parts.values()))
        return (
            measured
            and self.store.is_good
            and not (any(self.around.values()) or self.admitted_twice or self.disagreements)
        )

    @property
    def others_share(self) -> float:
        """The most that other programs used of the processors during a closed loop; 0 to 1."""
        rates = [rate for level in self.levels for rate in (level.noop, level.lean, level.scans.rate)]
        for comparison in (self.inside, self.large.comparison if self.large else None):
            rates += [run.rate for run in comparison.runs] if comparison else []
        return max((rate.others_share for rate in rates), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return {
            "durable": True,  # a stack that is not is refused before anything is measured
            "durability": dict(self.durability),
            "load": dict(self.load),
            "runs": [level.as_json() for level in self.levels],
            **{name: part.as_json() for name, part in self.parts.items()},
            "around": {name: self.around.get(name, 0) for name in ("errors", "wrong_answers")},
            "store": asdict(self.store),
            "admitted_twice": self.admitted_twice,
            "disagreements": list(self.disagreements),
            "examples": list(self.examples),
            "good": self.is_good,
        }


def run_benchmark(
    settings: Settings, record: StackRecord, options: BenchmarkOptions, progress: Progress
) -> BenchmarkResult:
    """Measure everything.

    Args:
        settings, record: of the running stack.

    Raises:
        CommandError: the stack is not durable, or does not work.
    """
    if settings.passes.key_dir is None:
        raise CommandError("the stack has no pass keys", "set FITMONITOR_PASSES__KEY_DIR")
    sign = partial(signed, signer=PassSigner(settings.passes.key_dir))
    writer = ScanWriter(sign, f"{LOOPBACK}:{record.port}")
    url = settings.database.url.get_secret_value()
    store = Store(url, pool_size=1, statement_timeout_s=_STATEMENT_TIMEOUT_S)
    try:
        with store.reading() as connection:
            durability = durable_settings(settings, connection)
        stack = MeasuredStack(record, store, writer, progress, options.seconds, options.seed, options.refused_share)
        try:
            return _measured(stack, settings, options, durability)
        finally:
            stack.retire()
    finally:
        store.close()


def _measured(
    stack: MeasuredStack, settings: Settings, options: BenchmarkOptions, durability: Mapping[str, str]
) -> BenchmarkResult:
    parts, progress = options.parts, stack.progress
    progress.step("seeding gyms and members, deploying the no-ops")
    # The other parts have members of their own; where only these are measured there must be no more.
    is_shared = bool(_WITH_SHARED_WORLD & parts)
    world = stack.seed(gyms=options.gyms, members=options.members if is_shared else 0)
    traffic = ScanTraffic(stack, world)
    load = _load(world, settings, options)
    levels: list[Level] = []
    found: dict[str, Any] = {}
    with deployed_noops(stack.record):
        for line in introduction(durability, load):
            progress.line(line)
        if is_shared:
            progress.step("filling the gyms")
            traffic.fill()
        if Part.LEVELS in parts:
            levels += (measure_level(stack, traffic, connections) for connections in options.connections)
        if {Part.OPEN, Part.BESIDE} & parts:
            rates = [level.scans.rate.per_second for level in levels]
            greatest = max(rates) if rates else greatest_rate(stack, traffic)
            if Part.OPEN in parts:
                found["open"] = measure_open_loop(stack, traffic, greatest)
            if Part.BESIDE in parts:
                found["beside"] = measure_beside_other_work(stack, traffic, greatest, settings)
        if Part.BURST in parts:
            found["burst"] = measure_burst(stack)
        if Part.INSIDE in parts:
            found["inside"] = measure_inside(stack)
        if Part.LARGE in parts:
            found["large"] = measure_large_past(stack, options.large)
    progress.step("comparing the store with the answers")
    return BenchmarkResult(
        durability,
        load,
        stack.compare(),
        levels,
        **found,
        around=stack.around,
        admitted_twice=stack.log.admitted_twice,
        disagreements=stack.disagreements,
        examples=stack.log.examples,
    )


def _load(world: World, settings: Settings, options: BenchmarkOptions) -> Mapping[str, Any]:
    return {
        "parts": [part.value for part in Part if part in options.parts],
        "gyms": len(world.gyms),
        "gates": len(world.gates),
        "devices": sum(len(gate.devices) for gate in world.gates),
        "members": len(world.members),
        "refused_share": options.refused_share,
        "seed": options.seed,
        "seconds": options.seconds,
        "scans_per_device_per_second": settings.door.scans_per_device_per_second,
        "processors": os.cpu_count(),
    }


def introduction(durability: Mapping[str, str], load: Mapping[str, Any]) -> Sequence[str]:
    """The conditions of a benchmark, in lines."""
    settings = ", ".join(f"{name}={value}" for name, value in durability.items())
    limit = (
        f"{load['devices']} devices, so that none reaches its limit of {load['scans_per_device_per_second']:g} scans/s"
    )
    refused = f"{100 * load['refused_share']:g} % of the scans must be refused"
    return (
        f"durable: {settings}",
        f"seeded: {load['gyms']} gyms, {load['gates']} gates, {load['members']} members; {limit}",
        f"sent: {refused}; seed {load['seed']}; wrk and oha cannot compare each answer with the right one",
    )
