"""The machine itself: interpreter, memory, disk, limits, sockets, clock."""

import ctypes
import platform
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from cluster.local.doctor.finding import Finding
from cluster.local.folders import run_dir
from cluster.local.install import program
from integrations.settings import Profile, Settings

_GIB = 1024**3
_MEMORY_GIB = {Profile.EMBEDDED: 2.0, Profile.FULL: 4.0, Profile.PRODUCTION: 4.0}
_DISK_GIB = {Profile.EMBEDDED: 1.0, Profile.FULL: 3.0, Profile.PRODUCTION: 3.0}
_SHM_MIB = 128
_OLDEST_PYTHON = (3, 11)
_OPEN_FILES = 4096  # Ray's workers and HAProxy's connections; with fewer HAProxy serves few doors, or does not start
# A clock before this has lost its battery: passes and memberships would be judged by a wrong day.
_NOT_BEFORE = 1_767_225_600  # 2026-01-01
_UNSYNCHRONIZED = 5  # TIME_ERROR of adjtimex(2)
_NTP = "sudo timedatectl set-ntp true; in a container or a virtual machine on its host"


def machine(profile: Profile, settings: Settings, *, up: bool) -> Iterator[Finding]:
    """What any stack needs.

    Args:
        profile: for which.
        settings: say where it keeps its data.
        up: whether one is up already, and has its memory.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= _OLDEST_PYTHON, python, "install Python 3.11 or newer, then make run")
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("system", platform.system() == "Linux", system, "use Linux; elsewhere in a container or WSL 2")
    try:
        yield Finding("Ray", good=True, found=version("ray"), mend="")
    except PackageNotFoundError:
        yield Finding("Ray", good=False, found="missing", mend="pip install --require-hashes -r requirements.lock")
    yield from _room(profile, settings, up=up)
    yield _open_files()
    yield _sockets(run_dir(settings.data_dir).parent)
    yield _clock()


def _room(profile: Profile, settings: Settings, *, up: bool) -> Iterator[Finding]:
    memory = psutil.virtual_memory().available / _GIB
    needed = _MEMORY_GIB[profile]
    mend = f"end other programs until {needed:.0f} GiB are: `ps aux --sort -rss | head` names the largest"
    yield Finding("memory", memory >= needed or up, f"{memory:.1f} GiB available", mend)
    folder = next(parent for parent in (settings.data_dir, *settings.data_dir.parents) if parent.exists())
    disk = shutil.disk_usage(folder).free / _GIB
    least = _DISK_GIB[profile]
    mend = f"free {least:.0f} GiB there, or set FITMONITOR_DATA_DIR to a folder elsewhere"
    yield Finding("disk", disk >= least, f"{disk:.1f} GiB free in {folder}", mend)
    shared = Path("/dev/shm")  # noqa: S108 - looked at, not written
    size = shutil.disk_usage(shared).free >> 20 if shared.is_dir() else 0
    mend = "sudo mount -o remount,size=256m /dev/shm; a container is started with --shm-size=256m"
    yield Finding("shared memory", size >= _SHM_MIB, f"{size} MiB in {shared}", mend)


def _open_files() -> Finding:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    unlimited = most == resource.RLIM_INFINITY
    mend = f"sudo prlimit --pid $$ --nofile=65536, then again; a container: --ulimit nofile=65536 (least {_OPEN_FILES})"
    return Finding("open files", unlimited or most >= _OPEN_FILES, "no limit" if unlimited else f"{most} at most", mend)


def _sockets(folder: Path) -> Finding:
    """Ray and HAProxy listen on sockets below a short path, whatever the data folder."""
    try:
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix="fm-doctor-") as made,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        ):
            listener.bind(f"{made}/socket")
    except OSError as error:
        found = f"no socket can be made in {folder} ({error.strerror or error})"
        return Finding("sockets", good=False, found=found, mend=f"sudo chmod 1777 {folder}; it must be on a local disk")
    return Finding("sockets", good=True, found=f"can be made in {folder}", mend="")


def _clock() -> Finding:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < _NOT_BEFORE:
        return Finding("clock", good=False, found=now, mend="sudo timedatectl set-ntp true")
    kept = _kept_by_ntp()
    if kept is not None:
        return Finding("clock", kept, f"{now}, {'' if kept else 'not '}kept by NTP", "sudo timedatectl set-ntp true")
    if _kernel_says_unsynchronized():
        # Said of many a machine whose host keeps the clock.
        return Finding("clock", good=False, found=f"{now}, nothing here keeps it", mend=_NTP, needed=False)
    return Finding("clock", good=True, found=f"{now} (nothing here can tell whether it is kept right)", mend="")


def _kept_by_ntp() -> bool | None:
    """What systemd says; None where there is none."""
    asked = program("timedatectl")
    if asked is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - a constant command
            [str(asked), "show", "--property=NTPSynchronized", "--value"], capture_output=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {b"yes": True, b"no": False}.get(answer.stdout.strip())


def _kernel_says_unsynchronized() -> bool:
    """Asked without setting anything (`modes` 0)."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))) == _UNSYNCHRONIZED
    except (OSError, AttributeError):
        return False
