"""What the local stack needs of a machine."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from cluster.local.bring import KAFKA_VERSION, kafka_lib, missing_packages, program
from cluster.local.ports import is_free
from cluster.local.record import read_record
from integrations.settings import Profile, Settings

_GIB = 1024**3
_MEMORY_GIB = {Profile.EMBEDDED: 2.0, Profile.FULL: 4.0, Profile.PRODUCTION: 4.0}
_DISK_GIB = {Profile.EMBEDDED: 1.0, Profile.FULL: 3.0, Profile.PRODUCTION: 3.0}
_SHM_MIB = 128
_OLDEST_PYTHON = (3, 11)
# A clock before this has lost its battery: passes and memberships would be judged by a wrong day.
_NOT_BEFORE = 1_767_225_600  # 2026-01-01


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined. `mend` is the command, or what to do, where it is not good."""

    what: str
    good: bool
    found: str
    mend: str


def examine(settings: Settings, profile: Profile) -> Sequence[Finding]:
    """Examine everything that the profile needs; changes nothing."""
    findings = [*_machine(profile, settings), *_places(settings), _port(settings), _clock()]
    return [*findings, *_servers()] if profile is Profile.FULL else findings


def _machine(profile: Profile, settings: Settings) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= _OLDEST_PYTHON, python, "install Python 3.11 or newer, then make run")
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("system", platform.system() == "Linux", system, "use Linux; elsewhere in a container or WSL 2")
    try:
        yield Finding("Ray", good=True, found=version("ray"), mend="")
    except PackageNotFoundError:
        yield Finding("Ray", good=False, found="missing", mend="pip install --require-hashes -r requirements.lock")
    memory = psutil.virtual_memory().available / _GIB
    needed = _MEMORY_GIB[profile]
    yield Finding("memory", memory >= needed, f"{memory:.1f} GiB available", f"free memory until {needed:.0f} GiB are")
    folder = next(parent for parent in (settings.data_dir, *settings.data_dir.parents) if parent.exists())
    disk = shutil.disk_usage(folder).free / _GIB
    least = _DISK_GIB[profile]
    mend = f"free {least:.0f} GiB there, or set FITMONITOR_DATA_DIR to a folder elsewhere"
    yield Finding("disk", disk >= least, f"{disk:.1f} GiB free in {folder}", mend)
    shared = Path("/dev/shm")  # noqa: S108 - looked at, not written
    size = shutil.disk_usage(shared).free >> 20 if shared.is_dir() else 0
    yield Finding(
        "shared memory", size >= _SHM_MIB, f"{size} MiB in {shared}", "start the container with --shm-size=256m"
    )


def _places(settings: Settings) -> Iterator[Finding]:
    """Where accounts, mail and pictures are kept on this machine, if they are."""
    file = settings.identity.accounts_file
    if file is not None:
        good = os.access(file, os.R_OK | os.W_OK) if file.is_file() else not file.exists() and _can_be_made(file)
        mend = f"make {file} a file that you may write to, or set FITMONITOR_IDENTITY__ACCOUNTS_FILE"
        yield Finding("accounts", good, f"{file} {'can' if good else 'cannot'} be written", mend)
    folder = settings.mail.folder
    if folder is not None and not settings.mail.smtp_host:
        good = _can_be_made(folder / "mail")
        mend = f"make {folder} a folder that you may write to, or set FITMONITOR_MAIL__FOLDER"
        yield Finding("mail", good, f"{folder} {'can' if good else 'cannot'} be written", mend)
    folder = settings.images.folder
    if folder is not None and not settings.images.bucket and settings.profile is Profile.EMBEDDED:
        good = _can_be_made(folder / "images")
        mend = f"make {folder} a folder that you may write to, or set FITMONITOR_IMAGES__FOLDER"
        yield Finding("pictures", good, f"{folder} {'can' if good else 'cannot'} be written", mend)


def _can_be_made(file: Path) -> bool:
    nearest = next(parent for parent in file.parents if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _port(settings: Settings) -> Finding:
    record = read_record(settings.data_dir)
    address = f"{settings.host}:{settings.port}"
    if record is not None and record.is_up and record.port == settings.port:
        return Finding("port", good=True, found=f"{address}, held by the stack that is up", mend="")
    free = is_free(settings.port, settings.host)
    mend = f"choose another, as in FITMONITOR_PORT={settings.port + 1}"
    return Finding("port", free, f"{address} is {'free' if free else 'taken'}", mend)


def _clock() -> Finding:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < _NOT_BEFORE:
        return Finding("clock", good=False, found=now, mend="sudo timedatectl set-ntp true")
    asked = program("timedatectl")
    if asked is None:
        return Finding("clock", good=True, found=f"{now} (nothing here can tell whether it is kept right)", mend="")
    answer = subprocess.run(  # noqa: S603 - a constant command
        [str(asked), "show", "--property=NTPSynchronized", "--value"], capture_output=True, check=False, timeout=10
    )
    wrong = answer.stdout.strip() == b"no"
    return Finding("clock", not wrong, f"{now}{', not kept by NTP' if wrong else ''}", "sudo timedatectl set-ntp true")


def _servers() -> Iterator[Finding]:
    missing = missing_packages()
    install = f"sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
    for what, command, package in (
        ("MariaDB", "mariadbd", "mariadb-server-core"),
        ("Java", "java", "default-jre-headless"),
        ("Maven", "mvn", "maven"),
    ):
        where = program(command)
        # Maven is needed once, to bring Kafka.
        good = package not in missing
        yield Finding(what, good, str(where or ("not needed any more" if good else "missing")), install)
    here = kafka_lib().is_dir()
    found = f"{KAFKA_VERSION} in {kafka_lib()}" if here else "missing"
    yield Finding("Kafka", here, found, f"{sys.executable} -m cluster.local.bring")
