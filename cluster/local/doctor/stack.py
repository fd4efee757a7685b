"""Checks what a local stack needs: folders, ports, programs; and what an earlier stack has left behind."""

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
from cluster.local.doctor.finding import Finding
from cluster.local.folders import run_dir
from cluster.local.install import KAFKA_VERSION, kafka_lib, missing_packages, program
from cluster.local.ports import PortBlock, listener_of
from cluster.local.stack_record import StackRecord
from integrations.settings import Profile, Settings

_RUN_FOLDER = re.compile(r"fm-[0-9a-f]{10}")
_STARTS_WITHIN_S = 600.0  # a younger run folder may belong to a stack that is starting


def check_folders(settings: Settings) -> Iterator[Finding]:
    """Check the folders of accounts, mail and pictures, if they are on this machine."""
    file = settings.identity.accounts_file
    if file is not None:
        good = os.access(file, os.R_OK | os.W_OK) if file.is_file() else not file.exists() and _can_be_created(file)
        hint = f"make {file} writable, or set FITMONITOR_IDENTITY__ACCOUNTS_FILE"
        yield Finding("accounts", good, f"{file} {'can' if good else 'cannot'} be written", hint)
    folder = settings.mail.folder
    if folder is not None and not settings.mail.smtp_host:
        good = _can_be_created(folder / "mail")
        hint = f"make {folder} writable, or set FITMONITOR_MAIL__FOLDER"
        yield Finding("mail", good, f"{folder} {'can' if good else 'cannot'} be written", hint)
    folder = settings.images.folder
    if folder is not None and not settings.images.bucket and settings.profile is Profile.EMBEDDED:
        good = _can_be_created(folder / "images")
        hint = f"make {folder} writable, or set FITMONITOR_IMAGES__FOLDER"
        yield Finding("pictures", good, f"{folder} {'can' if good else 'cannot'} be written", hint)


def _can_be_created(file: Path) -> bool:
    nearest = next(parent for parent in file.parents if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def check_ports(settings: Settings, record: StackRecord | None) -> Iterator[Finding]:
    """Check the public port, and whether there is a free block for all other ports."""
    address = f"{settings.host}:{settings.port}"
    if record is not None and record.is_up and record.port == settings.port:
        yield Finding("port", good=True, found=f"{address}, used by the running stack", hint="")
    else:
        yield _check_public_port(settings.host, settings.port)
    try:
        PortBlock().close()
        yield Finding("other ports", good=True, found="256 consecutive ports are free", hint="")
    except CommandError as error:
        yield Finding("other ports", good=False, found=error.message, hint=f"{error.hint}: `ss -ltnp` lists them")


def _check_public_port(host: str, port: int) -> Finding:
    address = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        hints = {
            EADDRINUSE: f"choose another port: FITMONITOR_PORT={port + 1 if port < 65_535 else 8000}",  # noqa: PLR2004
            EACCES: "choose a port above 1023: FITMONITOR_PORT=8000",
        }
        hint = hints.get(error.errno or 0, "set FITMONITOR_HOST to an address of this machine, such as 127.0.0.1")
        reason = f" is taken{listener_of(port)}" if error.errno == EADDRINUSE else f": {error.strerror}"
        return Finding("port", good=False, found=address + reason, hint=hint)
    return Finding("port", good=True, found=f"{address} is free", hint="")


def check_leftovers(settings: Settings, record: StackRecord | None) -> Iterator[Finding]:
    """Check for processes of a stack whose supervisor was killed, and for unused run folders."""
    left = record.members() if record is not None and not record.is_up else []
    found = f"{len(left)} processes of a killed stack" if left else "no process of a killed stack"
    yield Finding("leftovers", not left, found, f"FITMONITOR_DATA_DIR={settings.data_dir} fitmonitor down")
    if folders := _unused_run_folders(run_dir(settings.data_dir).parent):
        names = " ".join(map(str, folders))
        yield Finding("run folders", good=False, found=f"{len(folders)} unused", hint=f"rm -r {names}", needed=False)


def _unused_run_folders(where: Path) -> list[Path]:
    now = time.time()
    ours = [
        folder
        for folder in where.glob("fm-*")
        if _RUN_FOLDER.fullmatch(folder.name) and _is_ours_and_old(folder, now - _STARTS_WITHIN_S)
    ]
    if not ours:
        return []
    used = "\n".join(_paths_of(process) for process in psutil.process_iter())
    return sorted(folder for folder in ours if str(folder) not in used)


def _is_ours_and_old(folder: Path, before: float) -> bool:
    try:
        state = folder.lstat()
    except OSError:
        return False
    return state.st_uid == os.geteuid() and state.st_mtime < before


def _paths_of(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), process.cwd()])
    except psutil.Error:
        return ""


def check_programs() -> Iterator[Finding]:
    """Check the programs of the full profile."""
    missing = missing_packages()
    install = f"sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
    for what, command, package in (
        ("MariaDB", "mariadbd", "mariadb-server-core"),
        ("Java", "java", "default-jre-headless"),
        ("Maven", "mvn", "maven"),
    ):
        where = program(command)
        # Maven is needed only to install Kafka.
        good = package not in missing
        yield Finding(what, good, str(where or ("not needed, Kafka is installed" if good else "missing")), install)
    here = kafka_lib().is_dir()
    found = f"{KAFKA_VERSION} in {kafka_lib()}" if here else "missing"
    yield Finding("Kafka", here, found, f"{sys.executable} -m cluster.local.install")
