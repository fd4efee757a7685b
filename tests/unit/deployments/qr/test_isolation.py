"""The scanner's process serves scans and nothing else."""

import subprocess
import sys

import httpx
import pytest
from starlette.types import ASGIApp

from domain.ids import new_id
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio

# What draws, reads uploads, lists or describes, and the whole gateway.
ABSENT = (
    *("fpdf", "fontTools", "PIL", "matplotlib", "qrcode"),
    *("deployments.gateway", "deployments.live", "deployments.default_stage"),
    *("deployments.http.uploads", "deployments.http.upload_forms", "deployments.http.pictures"),
    *("deployments.http.paging", "deployments.http.openapi"),
)
IMPORTED = f"""
import sys, warnings
warnings.simplefilter("ignore")
import asyncio
from unittest.mock import MagicMock
import deployments.qr.app
from deployments.qr.assembly import ScannerBackends, assemble_scanner
from domain.clock import system_clock
from integrations.logs import configure_logging
from integrations.settings import Settings

configure_logging(Settings())  # to standard error

async def build():
    stand_ins = (MagicMock() for _ in range(8))
    scanner = assemble_scanner(ScannerBackends(*stand_ins), Settings(), system_clock)
    messages = []
    async def receive():
        return {{"type": "http.request", "body": b"", "more_body": False}}
    async def send(message):
        messages.append(message)
    for path in ("/api/scans", "/api/scans/one"):
        scope = {{"type": "http", "path": path, "root_path": "/api/scans", "headers": [], "query_string": b""}}
        await scanner.app({{**scope, "method": "GET"}}, receive, send)
    assert [each["status"] for each in messages if "status" in each] == [405, 401], messages

asyncio.run(build())
print(*[name for name in {ABSENT!r} if name in sys.modules])
"""


def test_a_process_that_serves_scans_loads_nothing_that_other_calls_need() -> None:
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def of_scans(path: str) -> bool:
    return path == "/scans" or path.startswith("/scans/")


async def answer(app: ASGIApp, root_path: str, method: str, path: str) -> httpx.Response:
    named = dict.fromkeys(("gym_id", "gate_id", "device_id", "conflict_id", "pairing_id", "user_id"), new_id())
    named |= dict.fromkeys(("session_id", "machine_id", "plan_id", "order_id", "invoice_id", "member_id"), new_id())
    url = path.format(**named, scan_id="s", sha256="0" * 64, role="Staff")
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://gym.test/api") as client:
        return await client.request(method, url)


async def test_each_call_of_the_document_is_served_by_one_of_the_two_processes_alone(harness: Harness) -> None:
    calls = [(method, path) for path, operations in harness.document["paths"].items() for method in operations]
    assert sum(of_scans(path) for _, path in calls) == 4
    for method, path in calls:
        of_gateway = await answer(harness.shell, "/api", method, path)
        of_scanner = await answer(harness.scanner, "/api/scans", method, path)
        if of_scans(path):
            assert_problem(of_gateway, 404, "not_found")
            assert_problem(of_scanner, 401, "unauthenticated")
        else:
            assert_problem(of_scanner, 404, "not_found")
            assert of_gateway.status_code != 404 or of_gateway.json()["code"] != "not_found", path


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/health", "/ready", "/me/picture", "/gyms"])
async def test_the_scanner_knows_no_other_path(harness: Harness, path: str) -> None:
    for method in ("GET", "PUT", "POST"):
        assert_problem(await answer(harness.scanner, "/api/scans", method, path), 404, "not_found")
