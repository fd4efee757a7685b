import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from uvicorn.middleware.proxy_headers import _TrustedHosts

from cluster.local.haproxy import haproxy_environment
from cluster.local.ports import PortBlock

# The lines of Serve's template that matter here, as Serve 2.60 writes them.
_CONFIG = """global
    stats socket /run/a.sock mode 666 level admin expose-fd listeners
defaults
    log global
    option httplog
frontend prometheus
    bind :{metrics}
frontend http_frontend
    bind 127.0.0.1:{public}
    acl routes path -i /-/routes
    server SERVE_REPLICA 127.0.0.1:{public}0 check
listen stats
  bind *:{statistics}
"""


@pytest.fixture
def ports() -> Iterator[PortBlock]:
    row = PortBlock()
    yield row
    row.close()


def _edited(folder: Path, ports: PortBlock, host: str) -> tuple[dict[str, str], str]:
    found = dict(haproxy_environment(folder, ports, host, 8000, []))
    script = Path(found["RAY_SERVE_HAPROXY_BINARY_PATH"])
    text = script.read_text(encoding="utf-8")
    # Instead of HAProxy a program that prints its arguments.
    script.write_text(text[: text.index("exec ")] + 'exec echo "$@"\n', encoding="utf-8")
    config = folder / "haproxy.cfg"
    config.write_text(
        _CONFIG.format(
            metrics=found["RAY_SERVE_HAPROXY_METRICS_PORT"],
            statistics=found["RAY_SERVE_HAPROXY_STATS_PORT"],
            public=8000,
        ),
        encoding="utf-8",
    )
    said = subprocess.run([script, "-db", "-f", config, "-sf", "1"], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["-db", "-f", str(config), "-sf", "1"]
    return found, config.read_text(encoding="utf-8")


def test_requests_are_not_written_to_the_syslog(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _edited(tmp_path, ports, "127.0.0.1")
    assert "option httplog" not in config
    assert "    option dontlog-normal\n" in config


def test_statistics_and_metrics_listen_on_loopback(tmp_path: Path, ports: PortBlock) -> None:
    found, config = _edited(tmp_path, ports, "127.0.0.1")
    binds = [line.strip() for line in config.splitlines() if "bind" in line]
    assert binds == [
        f"bind 127.0.0.1:{found['RAY_SERVE_HAPROXY_METRICS_PORT']}",
        "bind 127.0.0.1:8000",
        f"bind 127.0.0.1:{found['RAY_SERVE_HAPROXY_STATS_PORT']}",
    ]


def test_only_the_public_port_is_bound_to_the_chosen_host(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _edited(tmp_path, ports, "192.0.2.7")
    assert "    bind 192.0.2.7:8000\n" in config
    assert config.count("192.0.2.7") == 1
    assert "server SERVE_REPLICA 127.0.0.1:80000 check" in config


def test_only_the_owner_can_use_the_admin_socket(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _edited(tmp_path, ports, "127.0.0.1")
    assert "mode 600 level admin" in config
    assert "666" not in config


def test_ports_and_files_are_not_shared_with_another_stack(tmp_path: Path, ports: PortBlock) -> None:
    found = haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, [])
    paths = [value for name, value in found.items() if name.endswith(("_LOC", "_PATH", "_BASE", "_FILE"))]
    assert len(paths) == 6
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    numbers = [value for name, value in found.items() if name.endswith("_PORT")]
    assert len(set(numbers)) == len(numbers) == 8


def test_the_forwarded_header_of_a_client_is_replaced(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _edited(tmp_path, ports, "127.0.0.1")
    lines = [line.strip() for line in config.splitlines()]
    assert lines[lines.index("bind 127.0.0.1:8000") + 1] == "http-request set-header X-Forwarded-For %[src]"
    assert config.count("X-Forwarded-For") == 1
    after = lines[lines.index("bind 127.0.0.1:8000") + 2]
    assert after.startswith("http-request del-header X-Request-Id if "), "Serve logs what a client writes there"
    assert after.endswith("!{ req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{1,64}$ }")


def test_uvicorn_does_not_read_the_forwarded_header(
    tmp_path: Path, ports: PortBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "FORWARDED_ALLOW_IPS"
    monkeypatch.setenv(name, haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, [])[name])
    trusted = _TrustedHosts(uvicorn.Config("", log_config=None).forwarded_allow_ips)  # as its middleware is made
    assert "127.0.0.1" not in trusted


def test_connections_are_limited_by_open_files(tmp_path: Path, ports: PortBlock) -> None:
    connections = int(haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, [])["RAY_SERVE_HAPROXY_MAXCONN"])
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert 0 < connections <= 10_000
    assert files == resource.RLIM_INFINITY or 2.5 * connections + 100 < files


def test_a_response_instead_of_100_continue_closes_the_connection(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _edited(tmp_path, ports, "127.0.0.1")
    lines = [line.strip() for line in config.splitlines()]
    added = lines.index("acl routes path -i /-/routes") + 1
    assert lines[added : added + 2] == [
        "http-request set-var(txn.expects) bool(1) if { req.hdr(expect) -m found }",
        "http-after-response set-header Connection close if { var(txn.expects) -m bool }",
    ]
