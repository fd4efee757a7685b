"""What was scanned can be read where operators read it."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from domain.tables import users
from domain.unit_of_work import Store
from integrations.metrics import METRICS, Kind
from integrations.pass_keys import PassSigner
from tests.stacks import TestedStack

pytestmark = pytest.mark.timeout(400)

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
# Counted every five seconds, published by Ray every ten.
TOLD_WITHIN_S = 40.0

Series = dict[tuple[str, ...], float]


@pytest.fixture
def stack() -> Iterator[TestedStack]:
    folder = Path(tempfile.mkdtemp(prefix="fm-metrics-"))
    tested = TestedStack(folder, environment={"FITMONITOR_LIVE__ENABLED": "true"})  # of all that count something
    try:
        tested.start()
        yield tested
    finally:
        tested.down()
        shutil.rmtree(folder, ignore_errors=True)


def documented(stack: TestedStack) -> str:
    """What the command says by which the document reads metrics."""
    found = re.search(r"^```sh\n(address=.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    command = found[1].replace(".data/", f"{stack.data_dir}/")
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False).stdout


def read(stack: TestedStack) -> dict[str, Series]:
    """Our own metrics, by name and by their own tags."""
    shown = documented(stack)
    tags = {metric.name: metric.tags for metric in METRICS}
    found: dict[str, Series] = {}
    for name, labels, value in re.findall(r"^ray_(fitmonitor_\w+)\{(.*)\} (\S+)$", shown, re.MULTILINE):
        plain = name.removesuffix("_total")
        told = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
        own = ("le",) if plain.endswith("_bucket") else tags.get(plain, ())
        series = found.setdefault(plain, {})
        key = tuple(told[tag] for tag in own)
        series[key] = series.get(key, 0.0) + float(value)
    return found


GAUGES = {metric.name for metric in METRICS if metric.kind is Kind.GAUGE}


def read_by_all(found: dict[str, Series]) -> bool:
    return {"fitmonitor_scan_answers", "fitmonitor_pass_readings", "fitmonitor_scans", *GAUGES} <= set(found)


def test_scans_are_counted_by_what_became_of_them(stack: TestedStack) -> None:
    demo = json.loads(stack.demo())
    gate = demo["gyms"][0]["gates"][0]
    emails = [member["email"] for member in demo["members"] if member["state"] == "active"][:3]
    store = Store(f"sqlite:///{stack.data_dir / 'fitmonitor.sqlite3'}", pool_size=1)
    with store.reading() as connection:
        members = connection.execute(select(users.c.id).where(users.c.email.in_(emails))).scalars().all()
    store.close()
    signer = PassSigner(stack.data_dir / "keys" / "passes")
    now = datetime.now(UTC)
    issued_at = now.replace(second=now.second // 15 * 15, microsecond=0)
    codes = [signer.sign(member, issued_at) for member in members]
    scans = [(code, str(uuid4())) for code in [*codes, codes[0][:-4] + "AAAA", "no pass at all"]]
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.port}/api", timeout=10) as client:
        for code, scan_id in [*scans, scans[0]]:
            body = {"code": code, "gate_id": gate["id"], "direction": "enter", "scan_id": scan_id}
            answer = client.post("/scans", json=body, headers={"Authorization": f"Device {gate['device']}"})
            assert answer.status_code == 200, answer.text
        body = {"code": codes[0], "gate_id": str(uuid4()), "direction": "leave", "scan_id": str(uuid4())}
        refused = client.post("/scans", json=body, headers={"Authorization": f"Device {gate['device']}"})
        assert refused.json()["code"] == "unknown_gate"
    give_up = time.monotonic() + TOLD_WITHIN_S
    wanted: Series = {("entered", ""): 3, ("refused", "unknown_pass"): 2}
    while (found := read(stack)).get("fitmonitor_scans") != wanted:
        assert time.monotonic() < give_up, found
        time.sleep(1)
    # The replicas of the way hand on each at a time of its own.
    while not read_by_all(found := read(stack)):
        assert time.monotonic() < give_up, found
        time.sleep(1)
    assert found["fitmonitor_scan_answers"] == {("ok",): 6, ("unknown_gate",): 1}
    assert found["fitmonitor_scan_answer_seconds_count"] == {(): 7}
    assert found["fitmonitor_handle_call_scans_sum"] == {(): 6}
    assert found["fitmonitor_pass_readings"] == {("valid",): 4, ("forged",): 2}
    assert found["fitmonitor_repeated_scans"] == {(): 1}
    assert found["fitmonitor_decision_seconds_count"] == {(): 5}
    assert found["fitmonitor_decision_seconds_bucket"]["+Inf",] == 5
    assert 0 < found["fitmonitor_decision_seconds_sum"][()] < 5 * 1.8
    assert found["fitmonitor_batch_commands_sum"] == {(): 6}
    assert found["fitmonitor_consumer_lag"] == {(): 0}
    assert found["fitmonitor_outbox_active"] == {(): 1}
