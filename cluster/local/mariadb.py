"""A MariaDB server with its own folder, port on loopback, and user with a random password."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pymysql

from cluster.errors import CommandError
from cluster.local.install import MARIADB_USER, program
from cluster.local.ports import LOOPBACK, free_port
from cluster.local.process import ChildProcess
from cluster.local.server import Server

USER = "fitmonitor"
DATABASE = "fitmonitor"

# As in production, an acknowledged commit survives a power cut. The socket's path is relative to the data folder,
# because the path of a Unix socket must be shorter than 108 bytes.
_DURABLE = """innodb_flush_log_at_trx_commit=1
innodb_doublewrite=1
"""
_NOT_DURABLE = """innodb_flush_log_at_trx_commit=0
innodb_doublewrite=0
innodb_flush_method=nosync
"""
_CONFIG = """[mariadbd]
datadir={files}
socket=mariadb.sock
pid-file=mariadb.pid
bind-address={host}
port={port}
skip-name-resolve
skip-log-bin
{durability}innodb_buffer_pool_size=128M
innodb_log_file_size=96M
max_connections=500
character-set-server=utf8mb4
default-time-zone=+00:00
tmpdir={temporary}
init-file={init_file}
"""


class MariaDbServer(Server):
    """One MariaDB server. A restart keeps its data and its port.

    Args:
        data_dir: its folder; is created at the first start. If root starts it, user `mysql` must be able to reach it.
        port: on loopback (default: a free port).
        durable: False if nobody needs the data later: commits do not wait for the disk.
    """

    def __init__(self, data_dir: Path, port: int | None = None, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self._durability = _DURABLE if durable else _NOT_DURABLE
        self.port = port or free_port()
        self._files = self.data_dir / "files"
        # Not /tmp: a server that starts deletes the temporary tables of all servers there.
        self._temporary = self.data_dir / "temporary"
        self._init_file = self.data_dir / "first.sql"
        self._config = self.data_dir / "my.cnf"
        # `launch` sets the command.
        super().__init__(ChildProcess("MariaDB", [], self.data_dir / "mariadb.log"))

    def launch(self) -> None:
        """See `Server`; missing data files are created first."""
        server = program("mariadbd")
        if server is None:
            raise CommandError("MariaDB is missing", "python -m cluster.local.install")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        user = self._server_user()
        if user:
            # The server must be able to reach its files. The password beside them is readable by its owner only.
            self.data_dir.chmod(self.data_dir.stat().st_mode | 0o011)
        self._temporary.mkdir(mode=0o700, exist_ok=True)
        if user:
            shutil.chown(self._temporary, user)
        if not self._files.is_dir():
            self._install(user)
        self._write_config(user)
        options = [f"--user={user}"] if user else []
        self.process.command = [str(server), f"--defaults-file={self._config}", *options]
        super().launch()

    def wait(self) -> None:
        """Wait until it accepts connections, which includes recovery after a kill."""
        self.process.wait_until(self.is_ready, timeout_s=120)
        self._init_file.unlink(missing_ok=True)

    def environment(self) -> Mapping[str, str]:
        """Return the setting by which other processes find it."""
        return {"FITMONITOR_DATABASE__URL": self.url}

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the stack's database, with the password."""
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database on this server; its name must start with `fitmonitor`."""
        return f"mysql+pymysql://{USER}:{self._password()}@{LOOPBACK}:{self.port}/{database}?charset=utf8mb4"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL; its name must start with `fitmonitor`."""
        with (
            pymysql.connect(host=LOOPBACK, port=self.port, user=USER, password=self._password()) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return self.database_url(name)

    def is_ready(self) -> bool:
        """Return whether the user can connect and read."""
        try:
            with (
                pymysql.connect(
                    host=LOOPBACK,
                    port=self.port,
                    user=USER,
                    password=self._password(),
                    connect_timeout=2,
                    read_timeout=2,
                ) as connection,
                connection.cursor() as cursor,
            ):
                return bool(cursor.execute("SELECT 1"))
        except (pymysql.MySQLError, OSError):
            return False

    def _password(self) -> str:
        file = self.data_dir / "password"
        if not file.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(24))
        return file.read_text(encoding="utf-8")

    def _server_user(self) -> str | None:
        """Return the user that the server runs as if root starts it; None for an ordinary caller.

        MariaDB runs as root only if no other user can reach its folder, as in a checkout in root's home.
        """
        if os.geteuid() != 0:
            return None
        reachable = all(folder.stat().st_mode & 0o001 for folder in self.data_dir.parents)
        return MARIADB_USER if reachable else "root"

    def _install(self, user: str | None) -> None:
        installer = program("mariadb-install-db")
        if installer is None:
            raise CommandError("MariaDB is incomplete: no mariadb-install-db", "python -m cluster.local.install")
        # Renamed once complete, so that a crash never leaves half of the files.
        draft = self.data_dir / "files.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        command = [str(installer), "--no-defaults", f"--datadir={draft}", "--skip-test-db", "--skip-name-resolve"]
        command.append(f"--tmpdir={self._temporary}")
        if user:
            command.append(f"--user={user}")
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - composed above
        if done.returncode != 0:
            log = self.data_dir / "install.log"
            log.write_bytes(done.stdout + done.stderr)
            raise CommandError("the data files of MariaDB could not be created", f"read {log}")
        draft.rename(self._files)

    def _write_config(self, user: str | None) -> None:
        # Only the server can read it: the statements hold the password.
        self._init_file.touch(mode=0o600)
        self._init_file.write_text(
            f"CREATE DATABASE IF NOT EXISTS `{DATABASE}` CHARACTER SET utf8mb4;\n"
            f"CREATE USER IF NOT EXISTS '{USER}'@'{LOOPBACK}' IDENTIFIED BY '{self._password()}';\n"
            f"GRANT ALL PRIVILEGES ON `{USER}%`.* TO '{USER}'@'{LOOPBACK}';\n",
            encoding="utf-8",
        )
        self._config.write_text(
            _CONFIG.format(
                files=self._files,
                host=LOOPBACK,
                port=self.port,
                init_file=self._init_file,
                temporary=self._temporary,
                durability=self._durability,
            ),
            encoding="utf-8",
        )
        if user:
            shutil.chown(self._init_file, user)
            shutil.chown(self._files, user)
