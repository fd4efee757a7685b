"""Checks the machine: Python, memory, disk, limits, sockets, clock."""

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
_OPEN_FILES = 4096  # for the workers of Ray and the connections of HAProxy
# A clock before this date has lost its battery: passes and memberships would be checked for a wrong day.
_NOT_BEFORE = 1_767_225_600  # 2026-01-01
_UNSYNCHRONIZED = 5  # TIME_ERROR of adjtimex(2)
_NTP = "sudo timedatectl set-ntp true; for a container or virtual machine, run it on the host"


def check_machine(profile: Profile, settings: Settings, *, up: bool) -> Iterator[Finding]:
    """Check what every stack needs.

    Args:
        profile: of the stack.
        settings: of the stack.
        up: whether the stack runs, so that it has its memory already.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= _OLDEST_PYTHON, python, "install Python 3.11 or newer, then make run")
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("system", platform.system() == "Linux", system, "use Linux; on other systems a container or WSL 2")
    try:
        yield Finding("Ray", good=True, found=version("ray"), hint="")
    except PackageNotFoundError:
        yield Finding("Ray", good=False, found="missing", hint="pip install --require-hashes -r requirements.lock")
    yield from _check_space(profile, settings, up=up)
    yield _check_open_files()
    yield _check_sockets(run_dir(settings.data_dir).parent)
    yield _check_clock()


def _check_space(profile: Profile, settings: Settings, *, up: bool) -> Iterator[Finding]:
    memory = psutil.virtual_memory().available / _GIB
    needed = _MEMORY_GIB[profile]
    hint = f"{needed:.0f} GiB are needed; end other programs: `ps aux --sort -rss | head` lists the largest"
    yield Finding("memory", memory >= needed or up, f"{memory:.1f} GiB available", hint)
    folder = next(parent for parent in (settings.data_dir, *settings.data_dir.parents) if parent.exists())
    disk = shutil.disk_usage(folder).free / _GIB
    least = _DISK_GIB[profile]
    hint = f"{least:.0f} GiB are needed; delete files, or set FITMONITOR_DATA_DIR to a folder on another disk"
    yield Finding("disk", disk >= least, f"{disk:.1f} GiB free in {folder}", hint)
    shared = Path("/dev/shm")  # noqa: S108 - only read
    size = shutil.disk_usage(shared).free >> 20 if shared.is_dir() else 0
    hint = "sudo mount -o remount,size=256m /dev/shm; start a container with --shm-size=256m"
    yield Finding("shared memory", size >= _SHM_MIB, f"{size} MiB in {shared}", hint)


def _check_open_files() -> Finding:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    unlimited = most == resource.RLIM_INFINITY
    hint = f"sudo prlimit --pid $$ --nofile=65536; start a container with --ulimit nofile=65536 (minimum {_OPEN_FILES})"
    return Finding("open files", unlimited or most >= _OPEN_FILES, "no limit" if unlimited else f"limit {most}", hint)


def _check_sockets(folder: Path) -> Finding:
    """Ray and HAProxy create Unix sockets in this folder."""
    try:
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix="fm-doctor-") as made,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        ):
            listener.bind(f"{made}/socket")
    except OSError as error:
        found = f"cannot create a socket in {folder} ({error.strerror or error})"
        hint = f"sudo chmod 1777 {folder}; the folder must be on a local disk"
        return Finding("sockets", good=False, found=found, hint=hint)
    return Finding("sockets", good=True, found=f"can be created in {folder}", hint="")


def _check_clock() -> Finding:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < _NOT_BEFORE:
        return Finding("clock", good=False, found=now, hint="sudo timedatectl set-ntp true")
    synchronized = _is_synchronized()
    if synchronized is not None:
        found = f"{now}, {'' if synchronized else 'not '}synchronized by NTP"
        return Finding("clock", synchronized, found, "sudo timedatectl set-ntp true")
    if _kernel_reports_unsynchronized():
        # The host may synchronize the clock of this machine.
        return Finding("clock", good=False, found=f"{now}, not synchronized on this machine", hint=_NTP, needed=False)
    return Finding("clock", good=True, found=f"{now} (cannot tell whether it is synchronized)", hint="")


def _is_synchronized() -> bool | None:
    """Return what systemd reports; None without systemd."""
    command = program("timedatectl")
    if command is None:
        return None
    try:
        words = [str(command), "show", "--property=NTPSynchronized", "--value"]
        done = subprocess.run(words, capture_output=True, check=False, timeout=10)  # noqa: S603 - a constant command
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {b"yes": True, b"no": False}.get(done.stdout.strip())


def _kernel_reports_unsynchronized() -> bool:
    """Call adjtimex(2) with `modes` 0, which changes nothing."""
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))) == _UNSYNCHRONIZED
    except (OSError, AttributeError):
        return False
