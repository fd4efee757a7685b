"""The CPU time of each part of a stack."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from cluster.local.stack_record import StackRecord

_REPLICA = re.compile(r"ray::ServeReplica:[^:]*:(\w+)")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ACTORS = {
    "ray::ServeController": "controller",
    "ray::HAProxyManager": "proxy_manager",
    "ray::ProxyActor": "proxy_manager",
}
_PROGRAMS = {
    "haproxy": "haproxy",
    "raylet": "raylet",
    "gcs_server": "gcs",
    "java": "kafka",
    "mariadbd": "mariadb",
}


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """The CPU time of one process until some moment, in seconds."""

    role: str
    cpu_s: float


Snapshot = Mapping[tuple[int, float], ProcessUse]  # by pid and time of creation: a pid may be given again


def role_of(name: str, title: str) -> str:
    """The role of a process.

    Args:
        name: of its program.
        title: the first word of its command line, which Ray's workers set.
    """
    if replica := _REPLICA.match(title):
        return role_of_replica(replica[1])
    for actor, role in _ACTORS.items():
        if title.startswith(actor):
            return role
    if name in _PROGRAMS:
        return _PROGRAMS[name]
    return "ray_other" if title.startswith("ray::") else "other"


def role_of_replica(deployment: str) -> str:
    """The role of a deployment's replicas: `DoorConsumer` is `door_consumer`."""
    return _HUMP.sub("_", deployment).lower()


def snapshot(record: StackRecord) -> Snapshot:
    """All processes of a stack, its supervisor included."""
    supervisor = record.supervisor.find()
    found: dict[tuple[int, float], ProcessUse] = {}
    for process in [*record.members(), *([supervisor] if supervisor else [])]:
        try:
            with process.oneshot():
                times = process.cpu_times()
                title = " ".join(process.cmdline()[:1])
                use = ProcessUse(role_of(process.name(), title), times.user + times.system)
                found[process.pid, process.create_time()] = use
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def machine_busy_s() -> float:
    """How long the machine's processors have worked since its start, or were given to other machines."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def cpu_between(before: Snapshot, after: Snapshot) -> dict[str, float]:
    """The seconds of each role. A process that came counts from its start; one that went is not counted."""
    used: defaultdict[str, float] = defaultdict(float)
    for key, now in after.items():
        then = before.get(key)
        used[now.role] += now.cpu_s - (then.cpu_s if then else 0.0)
    return dict(used)


def processes_of(found: Snapshot) -> dict[str, int]:
    """How many processes each role has."""
    return dict(Counter(use.role for use in found.values()))
