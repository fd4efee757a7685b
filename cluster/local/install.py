"""Installs the servers of the full profile on a Debian machine: `python -m cluster.local.install`.

MariaDB is Debian's package `mariadb-server-core`, which starts no service. Apache Kafka is downloaded by Maven in a
pinned version, into the cache folder.
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
# Debian packages, each with a program that shows whether it is installed.
PACKAGES = {
    "mariadb-server-core": "mariadbd",
    "mariadb-client-core": "my_print_defaults",  # for mariadb-install-db
    "default-jre-headless": "java",
    "maven": "mvn",
}
# Debian installs servers in folders that are not in a user's PATH.
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
    """Find a program; None if it is not installed."""
    found = shutil.which(name, path=SERVER_PATH)
    return Path(found) if found else None


def missing_packages() -> Sequence[str]:
    """List the Debian packages that the full profile needs and that are not installed."""
    has_kafka = kafka_lib().is_dir()
    return [
        package
        for package, command in PACKAGES.items()
        if program(command) is None and not (package == "maven" and has_kafka)
    ]


def kafka_lib() -> Path:
    """Return the folder of Kafka's jars; it exists once Kafka is installed."""
    return cache_dir() / "kafka" / KAFKA_VERSION / "lib"


def install_servers() -> None:
    """Install what the full profile lacks.

    Raises:
        CommandError: a package or Kafka cannot be installed.
    """
    with _lock():
        if packages := missing_packages():
            _install(packages)
        _ensure_database_user()
        if not kafka_lib().is_dir():
            _install_kafka()


def _install(packages: Sequence[str]) -> None:
    print("installing", *packages, flush=True)  # noqa: T201 - progress of a command
    apt = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    if program("apt-get") is None:
        raise CommandError("apt-get is missing: this is not Debian", f"install {', '.join(packages)} by hand")
    # The package lists may be old, or missing as in a container.
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
    done = subprocess.run(  # noqa: S603 - constant commands
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
    """Create the user for MariaDB, which does not run as root; Debian's server package creates the same one."""
    if os.geteuid() != 0 or Path("/etc/passwd").read_text(encoding="utf-8").find(f"\n{MARIADB_USER}:") >= 0:
        return
    user = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", MARIADB_USER]
    if _as_root(user) != 0:
        raise CommandError("the user for MariaDB cannot be created", " ".join(user))


def _install_kafka() -> None:
    print(f"installing Apache Kafka {KAFKA_VERSION}", flush=True)  # noqa: T201 - progress of a command
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
        # -C: the command fails if a jar does not match its published checksum.
        if _run([str(maven), "-B", "-q", "-C", "-f", str(pom), *copy]) != 0:
            raise CommandError(
                "Apache Kafka could not be downloaded", "see the output of Maven above, and check the network"
            )
        home.mkdir(exist_ok=True)
        jars.rename(kafka_lib())


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process install at a time: two stacks or test runs may start together."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Install everything, or print in one line what cannot be installed."""
    end_on_signals()
    try:
        install_servers()
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
