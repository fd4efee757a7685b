"""What was scanned can be read where operators read it."""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from uuid import uuid4

from integrations.metrics import METRICS, MetricKind
from tests.documented.pages import PROJECT
from tests.e2e.api import Api
from tests.stacks import TestedStack
from tests.waiting import wait_until

DOCUMENT = PROJECT / "docs" / "metrics.md"
# Handed to Ray every five seconds, published by the tests' Ray every four.
PUBLISHED_WITHIN_S = 9.0
# However busy the machine is.
TOLD_WITHIN_S = 60.0

Counters = Mapping[tuple[str, ...], float]  # by name and own tags

# What `scan` below does.
COUNTED: Counters = {
    ("scans", "entered", ""): 3,
    ("scans", "refused", "unknown_pass"): 2,
    ("scan_answers", "ok"): 6,
    ("scan_answers", "unknown_gate"): 1,
    ("scan_answer_seconds_count",): 7,
    ("pass_readings", "valid"): 4,
    ("pass_readings", "forged"): 2,
    ("repeated_scans",): 1,
    ("decision_seconds_count",): 5,
    ("decision_seconds_bucket", "+Inf"): 5,
    ("batch_commands_sum",): 6,
}
_OF_SCANS = {name for name, *_ in COUNTED}


def documented(stack: TestedStack) -> str:
    """What the command says by which the document reads metrics."""
    found = re.search(r"^```sh\n(address=.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    command = found[1].replace(".data/", f"{stack.data_dir}/")
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False).stdout


def read(stack: TestedStack) -> Counter[tuple[str, ...]]:
    """Our own metrics, over all replicas."""
    tags = {metric.name: metric.tags for metric in METRICS}
    found: Counter[tuple[str, ...]] = Counter()
    for name, labels, value in re.findall(r"^ray_(fitmonitor_\w+)\{(.*)\} (\S+)$", documented(stack), re.MULTILINE):
        plain = name.removesuffix("_total")
        told = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
        own = ("le",) if plain.endswith("_bucket") else tags.get(plain, ())
        found[plain.removeprefix("fitmonitor_"), *(told[tag] for tag in own)] += float(value)  # type: ignore[assignment]
    return found


def of_scans(found: Counters) -> Counters:
    """Those of them that scans raise; of a histogram the bucket that holds all."""
    return {
        key: value
        for key, value in found.items()
        if key[0] in _OF_SCANS and value and not (key[0].endswith("_bucket") and key[1] != "+Inf")
    }


def settled(stack: TestedStack) -> Counter[tuple[str, ...]]:
    """What was counted, once nothing has been published for twice as long as publishing takes."""
    found, since = read(stack), time.monotonic()
    while time.monotonic() - since < 2 * PUBLISHED_WITHIN_S:
        time.sleep(0.5)
        now = read(stack)
        if of_scans(now) != of_scans(found):
            found, since = now, time.monotonic()
    return found


def risen(stack: TestedStack, before: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """What was counted since, once it is as much as scans were made."""

    def now() -> Counter[tuple[str, ...]]:
        found = read(stack)
        found.subtract(before)
        return found

    def is_told() -> bool:
        # Of these alone: what is as it is now, such as how many wait, may have fallen.
        found = now()
        return all(found[key] >= value for key, value in COUNTED.items())

    wait_until(is_told, TOLD_WITHIN_S, lambda: of_scans(now()))
    return now()


def scan(stack: Api) -> None:
    """Three members come in, one of them scanned again; two codes are no passes, and a gate is unknown."""
    gate = stack.gates()[0]
    codes = [stack.codes(stack.bearer(stack.member()))[0] for _ in range(3)]
    scans = [gate.scan(code, direction="enter") for code in [*codes, codes[0][:-4] + "AAAA", "no pass at all"]]
    for one in [*scans, scans[0]]:
        answer = stack.client.post("/scans", json=one, headers=gate.headers)
        assert answer.status_code == 200, answer.text
    nowhere = gate.scan(codes[0], direction="leave") | {"gate_id": str(uuid4())}
    assert stack.client.post("/scans", json=nowhere, headers=gate.headers).json()["code"] == "unknown_gate"


def test_scans_are_counted_by_what_became_of_them(stack: Api) -> None:
    before = read(stack.tested)
    scan(stack)
    counted = risen(stack.tested, before)
    if of_scans(counted) != COUNTED:
        # What an earlier test scanned was published after `before`.
        before = settled(stack.tested)
        scan(stack)
        counted = risen(stack.tested, before)
    assert of_scans(counted) == COUNTED
    assert 0 < counted["decision_seconds_sum",] < 5 * 1.8


def test_current_values_are_reported_by_all(stack: Api) -> None:
    gauges = {metric.name.removeprefix("fitmonitor_") for metric in METRICS if metric.kind is MetricKind.GAUGE}
    wait_until(lambda: gauges <= {name for name, *_ in read(stack.tested)}, TOLD_WITHIN_S, lambda: read(stack.tested))
    wait_until(lambda: read(stack.tested)["consumer_lag",] == 0, TOLD_WITHIN_S, lambda: read(stack.tested))
    assert read(stack.tested)["outbox_active",] == 1
