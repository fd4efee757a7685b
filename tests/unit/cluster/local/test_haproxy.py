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


def _mended(folder: Path, ports: PortBlock, host: str) -> tuple[dict[str, str], str]:
    found = dict(haproxy_environment(folder, ports, host, 8000, []))
    script = Path(found["RAY_SERVE_HAPROXY_BINARY_PATH"])
    text = script.read_text(encoding="utf-8")
    # In the program's place something that shows what it would have been given.
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


def test_what_is_asked_for_goes_to_no_syslog(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _mended(tmp_path, ports, "127.0.0.1")
    assert "option httplog" not in config
    assert "    option dontlog-normal\n" in config


def test_statistics_and_metrics_listen_on_loopback(tmp_path: Path, ports: PortBlock) -> None:
    found, config = _mended(tmp_path, ports, "127.0.0.1")
    binds = [line.strip() for line in config.splitlines() if "bind" in line]
    assert binds == [
        f"bind 127.0.0.1:{found['RAY_SERVE_HAPROXY_METRICS_PORT']}",
        "bind 127.0.0.1:8000",
        f"bind 127.0.0.1:{found['RAY_SERVE_HAPROXY_STATS_PORT']}",
    ]


def test_the_public_port_alone_moves_to_the_host_that_is_wanted(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _mended(tmp_path, ports, "192.0.2.7")
    assert "    bind 192.0.2.7:8000\n" in config
    assert config.count("192.0.2.7") == 1
    assert "server SERVE_REPLICA 127.0.0.1:80000 check" in config


def test_the_admin_socket_is_its_owner_s_alone(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _mended(tmp_path, ports, "127.0.0.1")
    assert "mode 600 level admin" in config
    assert "666" not in config


def test_everything_that_serve_would_share_is_the_stack_s_own(tmp_path: Path, ports: PortBlock) -> None:
    found = haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, [])
    paths = [value for name, value in found.items() if name.endswith(("_LOC", "_PATH", "_BASE", "_FILE"))]
    assert len(paths) == 6
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    numbers = [value for name, value in found.items() if name.endswith("_PORT")]
    assert len(set(numbers)) == len(numbers) == 8


def test_the_client_s_address_is_told_in_place_of_what_it_says_itself(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _mended(tmp_path, ports, "127.0.0.1")
    lines = [line.strip() for line in config.splitlines()]
    assert lines[lines.index("bind 127.0.0.1:8000") + 1] == "http-request set-header X-Forwarded-For %[src]"
    assert config.count("X-Forwarded-For") == 1
    after = lines[lines.index("bind 127.0.0.1:8000") + 2]
    assert after.startswith("http-request del-header X-Request-Id if "), "Serve logs what a client writes there"
    assert after.endswith("!{ req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{1,64}$ }")


def test_uvicorn_takes_no_client_from_a_header_that_is_not_the_one_of_the_settings(
    tmp_path: Path, ports: PortBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "FORWARDED_ALLOW_IPS"
    monkeypatch.setenv(name, haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, [])[name])
    trusted = _TrustedHosts(uvicorn.Config("", log_config=None).forwarded_allow_ips)  # as its middleware is made
    assert "127.0.0.1" not in trusted


def test_it_holds_no_more_connections_than_it_may_open_files_for(tmp_path: Path, ports: PortBlock) -> None:
    connections = int(haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, [])["RAY_SERVE_HAPROXY_MAXCONN"])
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert 0 < connections <= 10_000
    assert files == resource.RLIM_INFINITY or 2.5 * connections + 100 < files


def test_an_answer_to_who_waits_for_100_continue_closes_the_connection(tmp_path: Path, ports: PortBlock) -> None:
    _, config = _mended(tmp_path, ports, "127.0.0.1")
    lines = [line.strip() for line in config.splitlines()]
    added = lines.index("acl routes path -i /-/routes") + 1
    assert lines[added : added + 2] == [
        "http-request set-var(txn.expects) bool(1) if { req.hdr(expect) -m found }",
        "http-after-response set-header Connection close if { var(txn.expects) -m bool }",
    ]
