"""One stack: its servers, Ray and Serve, the order in which they start, and how they stop."""

import os
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
from cluster.local.http_probe import probe
from cluster.local.ports import LOOPBACK, PortBlock
from cluster.local.process import ChildProcess, ProcessId
from cluster.local.progress import Progress
from cluster.local.ray_head import RayHead
from cluster.local.serve_config import write_serve_config
from cluster.local.server import Server
from cluster.local.servers import servers_of
from cluster.local.stack_record import ALL_INTERFACES, StackRecord, stop_leftovers
from integrations.settings import Profile, Settings, http_url

_READY_TIMEOUT_S = 45.0
_OK = 200


@dataclass(frozen=True, slots=True)
class StackOptions:
    """The options of `fitmonitor up`. `serve_config` is the Serve configuration to start from."""

    settings: Settings
    serve_config: Path
    demo: bool = False


class StoppedError(Exception):
    """The stack was stopped while it was starting."""


class NotReadyError(CommandError):
    """Serve reports that everything runs, but the public port does not answer."""


class Stack:
    """All processes of one data folder.

    Folders, ports and passwords are chosen in the constructor, so that independent processes can start in parallel.

    Args:
        options: what to start.
        ports: all ports except the public one are taken from these.
        progress: shows the steps.
        stop: is set when the stack shall stop.
    """

    def __init__(self, options: StackOptions, ports: PortBlock, progress: Progress, stop: threading.Event) -> None:
        self._options = options
        self._progress = progress
        self._stop = stop
        self._record_lock = threading.Lock()
        chosen = options.settings
        if chosen.profile is Profile.FULL and os.geteuid() == 0:
            # MariaDB runs as another user, who must be able to reach its folder.
            chosen.data_dir.chmod(chosen.data_dir.stat().st_mode | 0o011)
        self._logs = chosen.data_dir / "logs"
        self._run_dir = make_run_dir(chosen.data_dir)
        self.servers = servers_of(chosen, self._run_dir, ports)
        config = self._run_dir / "serve_config.yaml"
        prefixes = write_serve_config(options.serve_config, config, chosen)
        signs_in = not chosen.identity.user_pool_id
        haproxy = haproxy_environment(self._run_dir, ports, chosen.host, chosen.port, prefixes, signs_in=signs_in)
        self.ray = RayHead(self._run_dir, self._logs / "ray.log", ports, haproxy)
        self._preparation = self._step("preparation", "cluster.local.prepare", *self._preparations())
        self._start_file = self._run_dir / "prepared"
        self._deployment = self._step("deployment", "cluster.local.deploy", config, self.ray.address, self._start_file)
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
        """All child processes in the order of their dependencies; they stop in reverse order."""
        servers = [server.process for server in self.servers]
        return [*servers, self._preparation, self.ray.process, self._deployment]

    def start(self) -> None:
        """Start everything and wait until the public port reports that it is ready.

        Raises:
            CommandError: a process does not start.
            StoppedError: the stack was stopped meanwhile.
        """
        for server in self.servers:
            if not server.keeps_address:
                self.start_server(server)
        self._set_environments()
        self._run_in_parallel(self._prepare, self._start_ray)
        try:
            self._serve()
        except NotReadyError as error:
            # Rarely, Serve's manager of HAProxy hangs while it starts HAProxy.
            self._progress.warn(f"{error}; restarting Ray")
            self.restart_ray()
        self.record.phase = "ready"
        self._write()

    def start_server(self, server: Server) -> None:
        """Start one server and wait until it answers."""
        with self._progress.step(server.process.name):
            self._launch(server)
            server.wait()

    def restart_ray(self) -> None:
        """Restart Ray and Serve with the current addresses of the servers."""
        self.ray.process.stop()
        self._set_environments()
        self._start_ray()
        self._serve()

    def cancel_waits(self) -> None:
        """End all waits for child processes."""
        for child in self.children:
            child.wait_cancelled.set()

    def kill(self) -> None:
        """Kill all processes. Acknowledged data is on disk."""
        for process in self.record.members():
            process.kill()

    def end(self) -> None:
        """Stop everything in reverse order. No process of the stack is left afterwards."""
        self.cancel_waits()
        self.record.phase = "stopping"
        self._write()
        for child in reversed(self.children):
            if child.is_running:
                with self._progress.step(f"stopping {child.name}"):
                    child.stop()
        for name in stop_leftovers(self.record):
            self._progress.warn(f"{name} left processes behind, which were stopped")

    def _prepare(self) -> None:
        fixed = [server for server in self.servers if server.keeps_address]
        self._run_in_parallel(*[partial(self.start_server, server) for server in fixed])
        with self._progress.step(", ".join(self._preparations())):
            self._launch(self._preparation)
            self._preparation.wait_finished(timeout_s=120)

    def _run_in_parallel(self, *calls: Callable[[], None]) -> None:
        """Run calls in parallel; if one fails, the others stop waiting."""
        if not calls:
            return
        with ThreadPoolExecutor(len(calls)) as pool:
            try:
                for done in as_completed([pool.submit(call) for call in calls]):
                    done.result()
            except BaseException:
                self.cancel_waits()
                raise

    def _start_ray(self) -> None:
        self._start_file.unlink(missing_ok=True)
        with self._progress.step("Ray"):
            self._launch(self.ray)
            self._launch(self._deployment)
            self.ray.wait()

    def _serve(self) -> None:
        with self._progress.step("Serve applications"):
            self._start_file.touch()
            self._deployment.wait_finished(timeout_s=240)
        with self._progress.step("ready"):
            deadline = time.monotonic() + _READY_TIMEOUT_S
            while (response := probe(f"{self.record.url}/api/ready"))[0] != _OK:
                if self._stop.is_set():
                    raise StoppedError
                if not self.ray.process.is_running or time.monotonic() > deadline:
                    reason = " ".join(map(str, response))[:300]
                    raise NotReadyError(f"not ready ({reason})", f"read {self.ray.logs}/serve")
                time.sleep(0.1)

    def _preparations(self) -> list[str]:
        optional = {"topics": self._options.settings.profile is Profile.FULL, "demo": self._options.demo}
        return ["keys", "accounts", "database", *[name for name, needed in optional.items() if needed]]

    def _set_environments(self) -> None:
        """Give every process that starts later the addresses of the servers, as settings."""
        found = dict(inherited_settings(self._options.settings))
        for server in self.servers:
            found.update(server.environment())
        self.record.environment = found
        foreign = {"RAY_ADDRESS", "RAY_NAMESPACE", "RAY_JOB_CONFIG_JSON_ENV_VAR"}
        base = {name: value for name, value in os.environ.items() if name not in foreign}
        self._preparation.environment = {**base, **found}
        self.ray.process.environment = {**base, **found, **self.ray.environment}
        self._deployment.environment = self.ray.process.environment

    def _launch(self, target: Server | RayHead | ChildProcess) -> None:
        if self._stop.is_set():
            raise StoppedError
        if isinstance(target, ChildProcess):
            target.start()
        else:
            target.launch()
        self._write()

    def _write(self) -> None:
        with self._record_lock:
            self.record.processes = {child.name: child.identity for child in self.children if child.was_started}
            self.record.write()

    def _step(self, name: str, module: str, *arguments: str | Path) -> ChildProcess:
        return ChildProcess.of_module(name, module, arguments, self._logs / f"{name}.log", self._run_dir)


def inherited_settings(settings: Settings) -> Mapping[str, str]:
    """Return the settings for child processes. Paths are absolute, because children have another working folder."""
    named = {name: value for name, value in os.environ.items() if name.startswith("FITMONITOR_")}
    named["FITMONITOR_PROFILE"] = settings.profile
    named["FITMONITOR_HOST"] = settings.host
    named["FITMONITOR_PORT"] = str(settings.port)
    named["FITMONITOR_DATA_DIR"] = str(settings.data_dir)
    if settings.database.url.get_secret_value():
        named["FITMONITOR_DATABASE__URL"] = settings.database.url.get_secret_value()
    if settings.archive.url:
        named["FITMONITOR_ARCHIVE__URL"] = settings.archive.url
    named["FITMONITOR_API__PUBLIC_URL"] = _public_url(settings)
    # HAProxy is the only proxy, and it replaces this header.
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
    """Return the configured URL; by default one that this machine can reach, also if the host is all interfaces."""
    chosen = settings.api.public_url
    if settings.host in ALL_INTERFACES and chosen == http_url(settings.host, settings.port):
        return f"http://{LOOPBACK}:{settings.port}"
    return chosen
