"""Runs the load generator and watches what the stack uses meanwhile."""

import subprocess
import sys
from dataclasses import dataclass

import msgspec

from cluster.errors import CommandError
from cluster.load.benchmark.processes import Snapshot, machine_busy_s, snapshot
from cluster.load.job import BEGAN, ENDED, Driven, Job
from cluster.local.record import StackRecord


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement brought, and the processes at its beginning and its end.

    Args:
        busy_s: for how long the machine's processors were at work meanwhile, for whomever.
    """

    driven: Driven
    before: Snapshot
    after: Snapshot
    busy_s: float


def measure(record: StackRecord, job: Job) -> Measured:
    """Drive the stack once.

    Raises:
        CommandError: the generator failed, as when nothing listens.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "cluster.load.generator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin  # noqa: S101 - asked for above
        assert child.stdout  # noqa: S101 - asked for above
        try:
            child.stdin.write(msgspec.msgpack.encode(job))
            child.stdin.close()
            began = child.stdout.readline() == BEGAN
            before, busy_before = snapshot(record), machine_busy_s()
            ended = child.stdout.readline() == ENDED
            after, busy_after = snapshot(record), machine_busy_s()
            brought = child.stdout.read()
        except BrokenPipeError:
            began = ended = False
        except BaseException:
            child.kill()
            raise
        if child.wait() or not began or not ended:
            raise CommandError("the load generator failed", "fitmonitor status tells whether the stack is well")
    return Measured(msgspec.msgpack.decode(brought, type=Driven), before, after, busy_after - busy_before)
