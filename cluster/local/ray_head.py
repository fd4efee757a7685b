"""Ray on this machine: one head node on loopback, as small as its switches allow."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.local.ports import LOOPBACK, PortRow
from cluster.local.process import ChildProcess

# Serve hands requests from process to process; the object store, at Ray's minimum here, stays all but empty.
_OBJECT_STORE_BYTES = 75 * 1024 * 1024


class RayHead:
    """The process `ray start --head --block` and all that descends from it, Serve's replicas included.

    Args:
        folder: the stack's run folder; Ray's sessions go below it.
        log_file: where the output of `ray start` goes; Ray's own logs are in its session.
        ports: where its ports are taken from.
        environment: what the workers inherit beside Ray's own variables.
    """

    def __init__(self, folder: Path, log_file: Path, ports: PortRow, environment: Mapping[str, str]) -> None:
        self._sessions = folder / "ray"
        gcs, agent_http, agent_grpc, runtime_env, metrics = ports.take(5)
        workers = ports.take(128)
        self.address = f"{LOOPBACK}:{gcs}"
        self.metrics_port = metrics
        self.environment = {**environment, **ray_environment(folder)}
        command: list[str | Path] = [
            Path(sys.executable).with_name("ray"),
            "start",
            "--head",
            "--block",
            f"--node-ip-address={LOOPBACK}",
            f"--port={gcs}",
            f"--dashboard-agent-listen-port={agent_http}",
            f"--dashboard-agent-grpc-port={agent_grpc}",
            f"--runtime-env-agent-port={runtime_env}",
            f"--metrics-export-port={metrics}",
            f"--min-worker-port={workers[0]}",
            f"--max-worker-port={workers[-1]}",
            f"--temp-dir={self._sessions}",
            f"--num-cpus={max(2, os.cpu_count() or 2)}",
            f"--object-store-memory={_OBJECT_STORE_BYTES}",
            "--include-dashboard=false",
            "--include-log-monitor=false",
            "--no-monitor",
            "--disable-usage-stats",
        ]
        self.process = ChildProcess("Ray", command, log_file, self.environment, folder, patience_s=20)

    def launch(self) -> None:
        """Start it without waiting."""
        self._address_file.unlink(missing_ok=True)
        self.process.start()

    def wait(self) -> None:
        """Wait until all of Ray's own processes have started."""
        self.process.wait_until(self._address_file.exists, timeout_s=120)

    @property
    def logs(self) -> Path:
        """The folder of Ray's and Serve's logs, while Ray runs."""
        return self._sessions / "session_latest" / "logs"

    @property
    def _address_file(self) -> Path:
        # `ray start` writes it last, for clients that are given no address.
        return self._sessions / "ray_current_cluster"


def ray_environment(folder: Path) -> Mapping[str, str]:
    """Ray's and Serve's variables for a stack; the caller's own come first, so that each can be overridden."""
    token = folder / "ray.token"
    if not token.exists():
        with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
    chosen = {
        "RAY_worker_niceness": "0",  # Ray's default of 15 starves replicas beside servers at 0
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # With it a replica would hold back a thousand lines of its log, which die with it.
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
        # A replica hands its counts over ten times a second unless told otherwise; they are exported every ten seconds.
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
        # The controller looks at everything ten times a second, which is a quarter of what a stack at rest uses.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.4",
        # Scans need neither Serve's watch for clients that leave nor its timer.
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deployments.http.serve_headers:middlewares",
        # On a busy machine HAProxy takes longer than Serve's 5 s; Serve would kill its manager and begin again.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "45",
        # Replicas that leave may wait a moment for HAProxy to forget them; Serve's 30 s suit load balancers in clouds.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
        # On SIGTERM Ray has Serve stop the replicas in order, then waits out this time, for there is no other node.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "4",
        "RAY_ROTATION_MAX_BYTES": str(8 * 1024 * 1024),
        "RAY_ROTATION_BACKUP_COUNT": "1",
        "RAY_task_events_report_interval_ms": "0",  # the history of tasks, which only the dashboard reads
    }
    return {
        **{name: os.environ.get(name, value) for name, value in chosen.items()},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        # Ray takes 127.0.0.1 for "find my address" unless it is told that there will be no second node. With it
        # GCS, raylet and workers listen on loopback instead of every interface.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_START_HOOK": f"{__name__}.without_client_server",
    }


def without_client_server(ray_params: Any, _head: bool) -> None:  # noqa: ANN401, FBT001 - Ray's own call
    """Called by `ray start`: leave out the server for remote clients, which has no switch of its own."""
    ray_params.ray_client_server_port = None
