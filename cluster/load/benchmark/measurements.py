"""One measurement: rate, latency, and the CPU time of every process meanwhile."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cluster.load.benchmark.processes import Snapshot, cpu_between, machine_busy_s, processes_of, snapshot
from cluster.load.figures import Figures, percentile, ratio, rounded
from cluster.load.generator import Answer, GeneratorProcess, Job, JobResult
from cluster.local.stack_record import StackRecord

GENERATOR = "load_generator"
_LATE_S = 0.005
_OK = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """A job's result, and the processes at its beginning and its end.

    Args:
        busy_s: for how long the machine's processors worked meanwhile, for any program.
    """

    driven: JobResult
    before: Snapshot
    after: Snapshot
    busy_s: float


def measure(record: StackRecord, job: Job) -> Measured:
    """Run a job against a stack.

    Raises:
        CommandError: the load generator failed, for example because nothing listens.
    """
    with GeneratorProcess(job) as process:
        process.begin()
        before, busy_before = snapshot(record), machine_busy_s()
        process.wait()
        after, busy_after = snapshot(record), machine_busy_s()
        return Measured(process.result(), before, after, busy_after - busy_before)


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast requests were answered in a closed loop.

    Args:
        answered: within the measured time.
        errors: requests without the expected answer.
        cpu_ms: of each role, for one answer.
        processes: how many each role had at the end.
        others_share: of the machine's processors, used by programs that are neither the stack nor its load; 0 to 1.
    """

    per_second: float
    answered: int
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_ms: Mapping[str, float]
    processes: Mapping[str, int]
    others_share: float

    def cpu_ms_of_all(self, without: Collection[str] = ()) -> float:
        """CPU ms for one answer, of every process but the load generator and the given roles."""
        return sum(used for role, used in self.cpu_ms.items() if role not in {GENERATOR, *without})


def rate_of(measured: Measured, errors: int) -> Rate:
    """The figures of a closed loop: of answers before its end, whatever was under way then."""
    driven = measured.driven
    in_time = [
        answer
        for lane in driven.lanes
        for answer in lane
        if answer.status and answer.sent + answer.took <= driven.seconds
    ]
    took = sorted(answer.took * 1000 for answer in in_time)
    number = len(in_time)
    cpu_s = {**cpu_between(measured.before, measured.after), GENERATOR: driven.cpu_s}
    available_s = driven.seconds * (os.cpu_count() or 1)
    return Rate(
        per_second=ratio(number, driven.seconds),
        answered=number,
        p50_ms=percentile(took, 0.50),
        p99_ms=percentile(took, 0.99),
        errors=errors,
        cpu_ms={
            role: 1000 * used / max(1, number) for role, used in sorted(cpu_s.items()) if used or role == GENERATOR
        },
        processes=processes_of(measured.after),
        others_share=min(1.0, max(0.0, ratio(measured.busy_s - sum(cpu_s.values()), available_s))),
    )


def offered_figures(lanes: Sequence[Sequence[Answer]], errors: int, wrong: int = 0) -> Figures:
    """The figures of an open loop: of all requests, however late they were answered.

    Latencies are from when each request was due to its answer. `late_share` is the share of requests that were sent
    over 5 ms after they were due.

    Args:
        lanes: the answers.
        errors: requests without the expected answer.
        wrong: answers that are not right.
    """
    answers = [answer for lane in lanes for answer in lane]
    latencies = sorted(answer.latency * 1000 for answer in answers)
    return rounded(
        {
            "asked": len(answers),
            "p50_ms": percentile(latencies, 0.50),
            "p99_ms": percentile(latencies, 0.99),
            "most_ms": percentile(latencies, 1.0),
            "late_share": ratio(sum(answer.late > _LATE_S for answer in answers), len(answers)),
            "errors": errors,
            "wrong_answers": wrong,
        }
    )


def unexpected(lanes: Sequence[Sequence[Answer]], body: bytes | None = None) -> int:
    """How many answers are not 200, or have another body than the one given."""
    return sum(answer.status != _OK or body not in {None, answer.body} for lane in lanes for answer in lane)
