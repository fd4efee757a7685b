"""A whole benchmark against a running stack: seed, fill, measure, compare the store with the answers, retire."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from rich.status import Status

from cluster.load.benchmark.burst import measure_burst
from cluster.load.benchmark.closed_loop import measure_inside, measure_level
from cluster.load.benchmark.durability import durable_settings
from cluster.load.benchmark.large_past import LargePastOptions, measure_large_past
from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.noop import deployed_noops
from cluster.load.benchmark.open_loop import greatest_rate, measure_open_loop
from cluster.load.benchmark.other_work import measure_beside_other_work, new_admins
from cluster.load.benchmark.traffic import ScanTraffic
from cluster.load.figures import Figures, faults_in
from cluster.load.scans import ScanWriter
from cluster.load.world import World
from cluster.local.ports import LOOPBACK
from cluster.local.stack_record import StackRecord
from domain.unit_of_work import Store
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


def run_benchmark(settings: Settings, record: StackRecord, options: BenchmarkOptions, status: Status) -> Figures:
    """Measure everything.

    Args:
        settings, record: of the running stack.
        status: shows what is being measured; its console, the results.

    Raises:
        CommandError: the stack is not durable, or does not work.
    """
    writer = ScanWriter.of_stack(settings, f"{LOOPBACK}:{record.port}")
    url = settings.database.url.get_secret_value()
    store = Store(url, pool_size=1, statement_timeout_s=_STATEMENT_TIMEOUT_S)
    try:
        with store.reading() as connection:
            durability = durable_settings(settings, connection)
        stack = MeasuredStack(record, store, writer, status, options.seconds, options.seed, options.refused_share)
        try:
            return _measured(stack, settings, options, durability)
        finally:
            stack.retire()
    finally:
        store.close()


def _measured(
    stack: MeasuredStack, settings: Settings, options: BenchmarkOptions, durability: Mapping[str, str]
) -> Figures:
    parts, status = options.parts, stack.status
    admins = new_admins(settings) if Part.BESIDE in parts else {}
    status.update("seeding gyms and members, deploying the no-ops")
    # The other parts have members of their own; where only these are measured there must be no more.
    is_shared = bool(_WITH_SHARED_WORLD & parts)
    world = stack.seed(gyms=options.gyms, members=options.members if is_shared else 0)
    traffic = ScanTraffic(stack, world)
    load = _load(world, settings, options)
    found: Figures = {"runs": []}
    with deployed_noops(stack.record):
        for line in introduction(durability, load):
            status.console.print(line)
        if is_shared:
            status.update("filling the gyms")
            traffic.fill()
        if Part.LEVELS in parts:
            found["runs"] = [measure_level(stack, traffic, connections) for connections in options.connections]
        if {Part.OPEN, Part.BESIDE} & parts:
            rates = [level["scan_rps"] for level in found["runs"]]
            greatest = max(rates) if rates else greatest_rate(stack, traffic)
            if Part.OPEN in parts:
                found[Part.OPEN] = measure_open_loop(stack, traffic, greatest)
            if Part.BESIDE in parts:
                found[Part.BESIDE] = measure_beside_other_work(stack, traffic, greatest, admins)
        if Part.BURST in parts:
            found[Part.BURST] = measure_burst(stack)
        if Part.INSIDE in parts:
            found[Part.INSIDE] = measure_inside(stack)
        if Part.LARGE in parts:
            found[Part.LARGE] = measure_large_past(stack, options.large)
    status.update("comparing the store with the answers")
    return judged(
        {
            "durable": True,  # a stack that is not is refused before anything is measured
            "durability": dict(durability),
            "load": load,
            **found,
            "around": {name: stack.around[name] for name in ("errors", "wrong_answers")},
            "store": asdict(stack.compare()),
            "admitted_twice": stack.log.admitted_twice,
            "disagreements": stack.disagreements,
            "examples": stack.log.examples,
        }
    )


def judged(result: Figures) -> Figures:
    """A result with whether it is good: every answer came, was right, and is stored."""
    return {**result, "good": not faults_in(result)}


def _load(world: World, settings: Settings, options: BenchmarkOptions) -> Figures:
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


def introduction(durability: Mapping[str, str], load: Figures) -> Sequence[str]:
    """The conditions of a benchmark, in lines."""
    settings = ", ".join(f"{name}={value}" for name, value in durability.items())
    limit = (
        f"{load['devices']} devices, so that none reaches its limit of {load['scans_per_device_per_second']:g} scans/s"
    )
    refused = f"{100 * load['refused_share']:g} % of the scans must be refused"
    return (
        f"durable: {settings}",
        f"seeded: {load['gyms']} gyms, {load['gates']} gates, {load['members']} members; {limit}",
        f"sent: {refused}; seed {load['seed']}",
    )
