"""Brings the servers of the full profile to a Debian machine: `python -m cluster.local.install`.

MariaDB comes as Debian's `mariadb-server-core`: the server's program without the service that
`mariadb-server` would start. Apache Kafka comes from Maven, pinned, into the cache folder.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import CommandError
from cluster.local.folders import cache_dir
from cluster.signals import end_on_signals

KAFKA_VERSION = "4.1.0"
MARIADB_USER = "mysql"
# Of each package the program by which its presence is known.
PACKAGES = {
    "mariadb-server-core": "mariadbd",
    "mariadb-client-core": "my_print_defaults",  # mariadb-install-db calls it
    "default-jre-headless": "java",
    "maven": "mvn",
}
# Debian keeps servers where a user's PATH does not look.
SERVER_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fitmonitor</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
"""


def program(name: str) -> Path | None:
    """Where a program is, servers' folders included; None when the machine lacks it."""
    found = shutil.which(name, path=SERVER_PATH)
    return Path(found) if found else None


def missing_packages() -> Sequence[str]:
    """Debian packages that the full profile needs and the machine lacks."""
    jars_are_here = kafka_lib().is_dir()
    return [
        package
        for package, command in PACKAGES.items()
        if program(command) is None and not (package == "maven" and jars_are_here)
    ]


def kafka_lib() -> Path:
    """Folder of Kafka's jars; there once brought."""
    return cache_dir() / "kafka" / KAFKA_VERSION / "lib"


def install_servers() -> None:
    """Install what the full profile lacks; does nothing on a machine that has it all.

    Raises:
        CommandError: when a package or Kafka cannot be installed, with the command that would.
    """
    with _alone():
        if packages := missing_packages():
            _install(packages)
        _ensure_database_user()
        if not kafka_lib().is_dir():
            _bring_kafka()


def _install(packages: Sequence[str]) -> None:
    print("installing", *packages, flush=True)  # noqa: T201 - progress of a command
    apt = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    if program("apt-get") is None:
        raise CommandError("not a Debian machine: programs missing", "install " + ", ".join(packages) + " by hand")
    # Lists of packages may be missing (containers) or old.
    if _as_root([*apt, "install", *packages]) != 0:
        _as_root([*apt, "update"])
        if _as_root([*apt, "install", *packages]) != 0:
            raise CommandError("packages could not be installed", f"sudo apt-get install {' '.join(packages)}")


def _as_root(command: Sequence[str]) -> int:
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env=DEBIAN_FRONTEND"]
    if prefix and program("sudo") is None:
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return _run([*prefix, *command], environment)


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> int:
    done = subprocess.run(  # noqa: S603 - commands are constants of this module
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace")[-4000:])
    return done.returncode


def _ensure_database_user() -> None:
    """MariaDB will not serve as root; Debian's own package makes the same user for it."""
    if os.geteuid() != 0 or Path("/etc/passwd").read_text(encoding="utf-8").find(f"\n{MARIADB_USER}:") >= 0:
        return
    user = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", MARIADB_USER]
    if _as_root(user) != 0:
        raise CommandError("no user for MariaDB", " ".join(user))


def _bring_kafka() -> None:
    print(f"bringing Apache Kafka {KAFKA_VERSION}", flush=True)  # noqa: T201 - progress of a command
    maven = program("mvn")
    if maven is None:
        raise CommandError("Maven is missing", "sudo apt-get install maven")
    home = kafka_lib().parent
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        pom = Path(folder) / "pom.xml"
        pom.write_text(_POM, encoding="utf-8")
        jars = Path(folder) / "lib"
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        # -C: a jar that does not match its published checksum fails the command.
        if _run([str(maven), "-B", "-q", "-C", "-f", str(pom), *copy]) != 0:
            raise CommandError(
                "Apache Kafka could not be brought", "see Maven's output above; is the network reachable?"
            )
        home.mkdir(exist_ok=True)
        jars.rename(kafka_lib())


@contextmanager
def _alone() -> Iterator[None]:
    """Two stacks or test runs may start at once; one of them brings."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "bring.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Bring everything, or say in one line what cannot be brought."""
    end_on_signals()
    try:
        install_servers()
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
