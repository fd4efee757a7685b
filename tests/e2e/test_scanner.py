"""Scans have a process of their own, and it serves nothing else."""

import re

import httpx
import pytest

from tests.e2e.api import Api

_SERVER = re.compile(r"^\s*server SERVE_REPLICA_\w+-(\w+)-\w+ (127\.0\.0\.1:\d+) ", re.MULTILINE)


def replicas(stack: Api) -> dict[str, str]:
    """Where the replica of each ingress listens, by its deployment, as HAProxy knows it."""
    [config] = (stack.tested.record.run_dir / "ha").rglob("haproxy.cfg")
    return dict(_SERVER.findall(config.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/scans"),
        ("GET", "/scans/one"),
        ("POST", "/scans/one/annul"),
        ("POST", "/scans/offline"),
    ],
)
def test_the_gateway_s_process_knows_no_scan(stack: Api, method: str, path: str) -> None:
    address = replicas(stack)
    assert httpx.request(method, f"http://{address['Gateway']}/api{path}", timeout=20).status_code == 404
    assert httpx.request(method, f"http://{address['QrScanner']}/api{path}", timeout=20).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/gyms"),
        ("PUT", "/me/picture"),
        ("POST", "/sessions"),
    ],
)
def test_the_scanner_s_process_knows_nothing_but_scans(stack: Api, method: str, path: str) -> None:
    address = replicas(stack)
    assert httpx.request(method, f"http://{address['QrScanner']}/api{path}", timeout=20).status_code == 404
    assert httpx.request(method, f"http://{address['Gateway']}/api{path}", timeout=20).status_code != 404
