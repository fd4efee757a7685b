from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from deployments.qr.counting import CountedVerifier
from domain.ids import new_id
from integrations.metrics_registry import MetricsRegistry
from integrations.pass_keys import PassSigner, ensure_pass_key
from tests.world import START


class FakeSink:
    def __init__(self) -> None:
        self.told: dict[tuple[str, ...], float] = {}

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        self.told[name, *tags.values()] = amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.told[name, *tags.values()] = value


def test_codes_are_counted_by_what_they_were_read_as(tmp_path: Path) -> None:
    ensure_pass_key(tmp_path)
    tally, sink = MetricsRegistry(), FakeSink()
    verifier = CountedVerifier(tmp_path, tally)
    code = PassSigner(tmp_path).sign(new_id(), START)
    for at in (START, START, START + timedelta(seconds=46)):
        verifier.read(code, at)
    verifier.read("no pass", START)
    tally.export(sink)
    assert sink.told == {
        ("fitmonitor_pass_readings", "valid"): 2,
        ("fitmonitor_pass_readings", "stale"): 1,
        ("fitmonitor_pass_readings", "forged"): 1,
    }
