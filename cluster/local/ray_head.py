"""Ray on this machine: one head node on loopback, with as few processes as possible."""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.local.ports import LOOPBACK, PortBlock
from cluster.local.process import ChildProcess
from deployments.attendance.resources import BATCH_RESOURCE

# Ray's minimum: Serve sends requests from process to process and hardly uses the object store.
_OBJECT_STORE_BYTES = 75 * 1024 * 1024


class RayHead:
    """The process `ray start --head --block` and its descendants, which include the replicas of Serve.

    Args:
        folder: run folder of the stack; Ray creates its sessions in it.
        log_file: output of `ray start`; the session has Ray's other logs.
        ports: its ports are taken from these.
        environment: variables of the workers, in addition to those of Ray.
    """

    def __init__(self, folder: Path, log_file: Path, ports: PortBlock, environment: Mapping[str, str]) -> None:
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
            f"--resources={json.dumps({BATCH_RESOURCE: _batch_tasks()})}",
            "--include-dashboard=false",
            "--include-log-monitor=false",
            "--no-monitor",
            "--disable-usage-stats",
        ]
        self.process = ChildProcess("Ray", command, log_file, self.environment, folder, stop_timeout_s=20)

    def launch(self) -> None:
        """Start the process and return at once."""
        self._address_file.unlink(missing_ok=True)
        self.process.start()

    def wait(self) -> None:
        """Wait until Ray's own processes have started."""
        self.process.wait_until(self._address_file.exists, timeout_s=120)

    @property
    def logs(self) -> Path:
        """The folder of the logs of Ray and Serve while Ray runs."""
        return self._sessions / "session_latest" / "logs"

    @property
    def _address_file(self) -> Path:
        # `ray start` writes this file last.
        return self._sessions / "ray_current_cluster"


def ray_environment(folder: Path) -> Mapping[str, str]:
    """Return the variables of Ray and Serve; `chosen` ones that are set in our environment keep their values."""
    token = folder / "ray.token"
    if not token.exists():
        with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
    chosen = {
        # By default glibc keeps eight heaps per core for the threads of each process; two save 30 MiB in all.
        "MALLOC_ARENA_MAX": "2",
        "RAY_worker_niceness": "0",  # Ray's default of 15 starves replicas beside servers at 0
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # Otherwise a replica buffers a thousand log lines, which are lost if it is killed.
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
        # By default a replica pushes its counts ten times per second; they are exported every ten seconds.
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
        # By default the controller loops ten times per second, a quarter of the CPU time of an idle stack.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.4",
        # Scans need neither Serve's check for disconnected clients nor its timer.
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deployments.http.serve_headers:middlewares",
        # On a busy machine HAProxy starts in more than the default 5 s; Serve would kill its manager and start again.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "45",
        # Time for HAProxy to remove a stopping replica; the default of 30 s is for load balancers in clouds.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
        # After SIGTERM Serve stops its replicas; then Ray waits this long, because there is no other node.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "4",
        "RAY_ROTATION_MAX_BYTES": str(8 * 1024 * 1024),
        "RAY_ROTATION_BACKUP_COUNT": "1",
        "RAY_task_events_report_interval_ms": "0",  # task history, only for the dashboard
    }
    return {
        **{name: os.environ.get(name, value) for name, value in chosen.items()},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        # Without this setting Ray replaces 127.0.0.1 by an address that other nodes can reach. With it GCS, raylet and
        # workers listen on loopback only.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_START_HOOK": f"{__name__}.without_client_server",
    }


def _batch_tasks() -> int:
    """How many batch tasks run at once: one CPU stays free for the doors."""
    return max(1, (os.cpu_count() or 2) - 1)


def without_client_server(ray_params: Any, _head: bool) -> None:  # noqa: ANN401, FBT001 - Ray's own call
    """Disable the server for remote clients, which has no option. `ray start` calls this hook."""
    ray_params.ray_client_server_port = None
