"""The parts of one stack: what they are, in which order they start, and how they end."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from cluster.errors import CommandError
from cluster.local.folders import make_run_dir
from cluster.local.haproxy import FORWARDED_HEADER, haproxy_environment
from cluster.local.leftovers import stop_leftovers
from cluster.local.ports import LOOPBACK, PortRow
from cluster.local.process import ChildProcess, ProcessId
from cluster.local.progress import Progress
from cluster.local.ray_head import RayHead
from cluster.local.readiness import ask
from cluster.local.record import EVERY_ADDRESS, StackRecord
from cluster.local.serve_layer import lay_over
from cluster.local.servers import Server, servers_of
from integrations.settings import Profile, Settings, http_url

_READY_TIMEOUT_S = 45.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for. `serve_config` is the file over which the stack's port is laid."""

    settings: Settings
    serve_config: Path
    demo: bool = False


class StoppedError(Exception):
    """The end was asked for while something was still starting."""


class NotReadyError(CommandError):
    """Serve says that everything runs, but nothing answers."""


class Stack:
    """Everything that runs for one data folder.

    Folders, ports and passwords are chosen here, before anything runs, so that parts which do not need one another
    can start side by side.

    Args:
        wish: what to start.
        ports: where all ports but the public one come from.
        progress: where to tell of it.
        stop: set once the end was asked for.
    """

    def __init__(self, wish: Wish, ports: PortRow, progress: Progress, stop: threading.Event) -> None:
        self._wish = wish
        self._progress = progress
        self._stop = stop
        self._recording = threading.Lock()
        chosen = wish.settings
        if chosen.profile is Profile.FULL and os.geteuid() == 0:
            # MariaDB, which root hands to a user of its own, must be able to pass to its folder.
            chosen.data_dir.chmod(chosen.data_dir.stat().st_mode | 0o011)
        self._logs = chosen.data_dir / "logs"
        self._run_dir = make_run_dir(chosen.data_dir)
        self.servers = servers_of(chosen, self._run_dir, ports)
        config = self._run_dir / "serve_config.yaml"
        prefixes = lay_over(wish.serve_config, config, chosen)
        signs_in = not chosen.identity.user_pool_id
        haproxy = haproxy_environment(self._run_dir, ports, chosen.host, chosen.port, prefixes, signs_in=signs_in)
        self.ray = RayHead(self._run_dir, self._logs / "ray.log", ports, haproxy)
        self._preparation = self._step("preparation", "cluster.local.prepare", *self._preparations())
        self._go = self._run_dir / "prepared"
        self._deployment = self._step("deployment", "cluster.local.deploy", config, self.ray.address, self._go)
        self.record = StackRecord(
            profile=chosen.profile,
            host=chosen.host,
            port=chosen.port,
            data_dir=chosen.data_dir,
            run_dir=self._run_dir,
            boot=psutil.boot_time(),
            supervisor=ProcessId.of(os.getpid()),
            addresses={"ray": self.ray.address, "metrics": f"{LOOPBACK}:{self.ray.metrics_port}"},
        )
        self.record.write()

    @property
    def children(self) -> list[ChildProcess]:
        """Every child, in the order in which they need one another; they stop the other way round."""
        servers = [server.process for server in self.servers]
        return [*servers, self._preparation, self.ray.process, self._deployment]

    def start(self) -> None:
        """Start all parts and wait until the public port says that it is ready.

        Raises:
            CommandError: a part does not start; names its log.
            StoppedError: the end was asked for meanwhile.
        """
        for server in self.servers:
            if not server.keeps_address:
                self.start_server(server)
        self._introduce()
        self._side_by_side(self._prepare, self._start_ray)
        try:
            self._serve()
        except NotReadyError as error:
            # Seen once in dozens of starts: the HAProxy manager of Serve hangs while it spawns HAProxy.
            self._progress.warn(f"{error}; Ray is started anew")
            self.restart_ray()
        self.record.phase = "ready"
        self._write()

    def start_server(self, server: Server) -> None:
        """Start one server and wait until it serves."""
        with self._progress.step(server.process.name):
            self._launch(server)
            server.wait()

    def restart_ray(self) -> None:
        """Start Ray and all that Serve runs anew, with the addresses that the servers have now."""
        self.ray.process.stop()
        self._introduce()
        self._start_ray()
        self._serve()

    def give_up(self) -> None:
        """Let everyone who waits for a child stop waiting."""
        for child in self.children:
            child.given_up.set()

    def kill(self) -> None:
        """End all at once; what was acknowledged is on disk."""
        for process in self.record.members():
            process.kill()

    def end(self) -> None:
        """Stop what was started, last first; nothing of the stack is left when this returns."""
        self.give_up()
        self.record.phase = "stopping"
        self._write()
        for child in reversed(self.children):
            if child.is_running:
                with self._progress.step(f"stopping {child.name}"):
                    child.stop()
        for name in stop_leftovers(self.record):
            self._progress.warn(f"{name} left processes behind; they were stopped")

    def _prepare(self) -> None:
        settled = [server for server in self.servers if server.keeps_address]
        self._side_by_side(*[partial(self.start_server, server) for server in settled])
        with self._progress.step(", ".join(self._preparations())):
            self._launch(self._preparation)
            self._preparation.wait_done(timeout_s=120)

    def _side_by_side(self, *calls: Callable[[], None]) -> None:
        """Make several calls at once; when one fails, the others stop waiting."""
        if not calls:
            return
        with ThreadPoolExecutor(len(calls)) as pool:
            try:
                for done in as_completed([pool.submit(call) for call in calls]):
                    done.result()
            except BaseException:
                self.give_up()
                raise

    def _start_ray(self) -> None:
        self._go.unlink(missing_ok=True)
        with self._progress.step("Ray"):
            self._launch(self.ray)
            self._launch(self._deployment)
            self.ray.wait()

    def _serve(self) -> None:
        with self._progress.step("Serve applications"):
            self._go.touch()
            self._deployment.wait_done(timeout_s=240)
        with self._progress.step("ready"):
            deadline = time.monotonic() + _READY_TIMEOUT_S
            while (answer := ask(f"{self.record.url}/api/ready"))[0] != _OK:
                if self._stop.is_set():
                    raise StoppedError
                if not self.ray.process.is_running or time.monotonic() > deadline:
                    said = " ".join(str(word) for word in answer)[:300]
                    raise NotReadyError(f"not ready ({said})", f"read {self.ray.logs}/serve")
                time.sleep(0.1)

    def _preparations(self) -> list[str]:
        full = self._wish.settings.profile is Profile.FULL
        return ["keys", "accounts", "database", *(["topics"] if full else []), *(["demo"] if self._wish.demo else [])]

    def _introduce(self) -> None:
        """Tell every later child of the servers, by the settings that it reads."""
        found = dict(inherited_settings(self._wish.settings))
        for server in self.servers:
            found.update(server.environment())
        self.record.environment = found
        foreign = {"RAY_ADDRESS", "RAY_NAMESPACE", "RAY_JOB_CONFIG_JSON_ENV_VAR"}
        base = {name: value for name, value in os.environ.items() if name not in foreign}
        self._preparation.environment = {**base, **found}
        self.ray.process.environment = {**base, **found, **self.ray.environment}
        self._deployment.environment = self.ray.process.environment

    def _launch(self, part: Server | RayHead | ChildProcess) -> None:
        if self._stop.is_set():
            raise StoppedError
        if isinstance(part, ChildProcess):
            part.start()
        else:
            part.launch()
        self._write()

    def _write(self) -> None:
        # Parts start in several threads.
        with self._recording:
            self.record.processes = {child.name: child.identity for child in self.children if child.was_started}
            self.record.write()

    def _step(self, name: str, module: str, *arguments: str | Path) -> ChildProcess:
        command = [sys.executable, "-m", module, *arguments]
        return ChildProcess(name, command, self._logs / f"{name}.log", folder=self._run_dir, patience_s=5)


def inherited_settings(settings: Settings) -> Mapping[str, str]:
    """The settings of the caller's environment, with paths made absolute: children work in another folder."""
    named = {name: value for name, value in os.environ.items() if name.startswith("FITMONITOR_")}
    named["FITMONITOR_PROFILE"] = settings.profile
    named["FITMONITOR_HOST"] = settings.host
    named["FITMONITOR_PORT"] = str(settings.port)
    named["FITMONITOR_DATA_DIR"] = str(settings.data_dir)
    if settings.database.url.get_secret_value():
        named["FITMONITOR_DATABASE__URL"] = settings.database.url.get_secret_value()
    named["FITMONITOR_API__PUBLIC_URL"] = _public_url(settings)
    # HAProxy alone stands in front, and replaces what a client says of itself.
    named["FITMONITOR_API__FORWARDED_HEADER"] = FORWARDED_HEADER
    named["FITMONITOR_API__FORWARDED_HOPS"] = "1"
    paths = {
        "FITMONITOR_PASSES__KEY_DIR": settings.passes.key_dir,
        "FITMONITOR_IDENTITY__SIGNING_KEY_DIR": settings.identity.signing_key_dir,
        "FITMONITOR_IDENTITY__ACCOUNTS_FILE": settings.identity.accounts_file,
        "FITMONITOR_MAIL__FOLDER": settings.mail.folder,
        "FITMONITOR_IMAGES__FOLDER": settings.images.folder,
    }
    return named | {name: str(path.absolute()) for name, path in paths.items() if path is not None}


def _public_url(settings: Settings) -> str:
    """What was named; else where this machine reaches the stack, for a host of every address is none to go to."""
    chosen = settings.api.public_url
    if settings.host in EVERY_ADDRESS and chosen == http_url(settings.host, settings.port):
        return f"http://{LOOPBACK}:{settings.port}"
    return chosen
