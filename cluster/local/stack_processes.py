"""The processes of a running stack: whether they run, and how much memory they use."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from cluster.local.process import ProcessId, session_members
from cluster.local.stack_record import StackRecord


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One process, or all processes of Ray of one kind. `pss_mib` divides shared memory among its users."""

    part: str
    process: str
    alive: bool
    pids: Sequence[int]
    pss_mib: int


def parts_of(record: StackRecord) -> Sequence[PartStatus]:
    """List the parts of the stack in the order of their start, including those that do not run."""
    found = [*_kinds("supervisor", record.supervisor, [process for process in [record.supervisor.find()] if process])]
    for part, leader in record.processes.items():
        found.extend(_kinds(part, leader, session_members([leader])))
    # Preparation and deployment end by themselves.
    return [status for status in found if status.alive or status.part not in {"preparation", "deployment"}]


def _kinds(part: str, leader: ProcessId, members: Sequence[psutil.Process]) -> Sequence[PartStatus]:
    if not members:
        return [PartStatus(part, part, alive=False, pids=[leader.pid], pss_mib=0)]
    kinds: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for process in members:
        try:
            kinds[_kind(process)].append((process.pid, process.memory_full_info().pss >> 20))
        except psutil.NoSuchProcess:
            continue
    return [
        PartStatus(part, kind, alive=True, pids=[pid for pid, _ in each], pss_mib=sum(size for _, size in each))
        for kind, each in kinds.items()
    ]


def _kind(process: psutil.Process) -> str:
    """Name a process: a worker of Ray by its title, another Python program by its script."""
    words = process.cmdline() or [process.name()]
    if words[0].startswith("ray::"):
        return words[0].strip().split(".")[0].split("#")[0]
    if "python" in process.name():
        scripts = [word.rsplit("/", 1)[-1] for word in words[1:] if not word.startswith("-")]
        return " ".join(scripts[:2]) if scripts and scripts[0] in {"ray", "fitmonitor"} else (scripts or ["python"])[0]
    return process.name()
