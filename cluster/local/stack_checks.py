"""What a stack on this machine needs of it: ports, folders, programs; and what an earlier one left behind."""

import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from errno import EACCES, EADDRINUSE
from pathlib import Path

import psutil

from cluster.errors import CommandError
from cluster.local.bring import KAFKA_VERSION, kafka_lib, missing_packages, program
from cluster.local.findings import Finding
from cluster.local.folders import run_dir
from cluster.local.ports import PortRow
from cluster.local.record import StackRecord
from integrations.settings import Profile, Settings

_RUN_FOLDER = re.compile(r"fm-[0-9a-f]{10}")
_STARTS_WITHIN_S = 600.0  # a younger run folder may belong to a stack that starts


def places(settings: Settings) -> Iterator[Finding]:
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


def ports(settings: Settings, record: StackRecord | None) -> Iterator[Finding]:
    """The public port, and the row from which all others are taken."""
    address = f"{settings.host}:{settings.port}"
    if record is not None and record.is_up and record.port == settings.port:
        yield Finding("port", good=True, found=f"{address}, held by the stack that is up", mend="")
    else:
        yield _public_port(settings.host, settings.port)
    try:
        PortRow().close()
        yield Finding("other ports", good=True, found="256 in a row can be had", mend="")
    except CommandError as error:
        yield Finding("other ports", good=False, found=error.message, mend=f"{error.hint}: `ss -ltnp` lists it")


def _public_port(host: str, port: int) -> Finding:
    address = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        mends = {
            EADDRINUSE: f"choose another, as in FITMONITOR_PORT={port + 1 if port < 65_535 else 8000}",  # noqa: PLR2004
            EACCES: "choose one above 1023, as in FITMONITOR_PORT=8000",
        }
        mend = mends.get(error.errno or 0, "set FITMONITOR_HOST to an address of this machine, as 127.0.0.1")
        found = f"{address} is taken{_by(port)}" if error.errno == EADDRINUSE else f"{address}: {error.strerror}"
        return Finding("port", good=False, found=found, mend=mend)
    return Finding("port", good=True, found=f"{address} is free", mend="")


def _by(port: int) -> str:
    """Who listens, where we may know."""
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f" by {psutil.Process(one.pid).name()} (pid {one.pid})"
    except psutil.Error:
        pass
    return ""


def leftovers(settings: Settings, record: StackRecord | None) -> Iterator[Finding]:
    """Processes of a stack whose supervisor was killed, and run folders that nobody uses."""
    left = record.members() if record is not None and not record.is_up else []
    found = f"{len(left)} processes of a killed stack" if left else "no process of a killed stack"
    yield Finding("leftovers", not left, found, f"FITMONITOR_DATA_DIR={settings.data_dir} fitmonitor down")
    if folders := _unused_run_folders(run_dir(settings.data_dir).parent):
        names = " ".join(map(str, folders))
        yield Finding("run folders", good=False, found=f"{len(folders)} unused", mend=f"rm -r {names}", needed=False)


def _unused_run_folders(where: Path) -> list[Path]:
    now = time.time()
    ours = [
        folder
        for folder in where.glob("fm-*")
        if _RUN_FOLDER.fullmatch(folder.name) and _is_ours_and_old(folder, now - _STARTS_WITHIN_S)
    ]
    if not ours:
        return []
    used = "\n".join(_said_by(process) for process in psutil.process_iter())
    return sorted(folder for folder in ours if str(folder) not in used)


def _is_ours_and_old(folder: Path, before: float) -> bool:
    try:
        state = folder.lstat()
    except OSError:
        return False
    return state.st_uid == os.geteuid() and state.st_mtime < before


def _said_by(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), process.cwd()])
    except psutil.Error:
        return ""


def servers() -> Iterator[Finding]:
    """The programs of the full profile."""
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
