"""Alive, ready, and which version; and the documentation."""

import asyncio
import re

import pytest

from deployments.http.problem_kinds import KINDS
from domain.door.model import Problem
from domain.gyms.model import GymProblem
from domain.identity.model import IdentityProblem
from tests.unit.gateway.rig import Rig
from tests.web_pages import assert_keeps_policy

pytestmark = pytest.mark.anyio


async def test_alive_and_version_need_nothing(rig: Rig) -> None:
    rig.gym.fails = ConnectionError()
    assert (await rig.client.get("/health")).json() == {"alive": True}
    assert re.fullmatch(r"\d+\.\d+\.\d+", (await rig.client.get("/version")).json()["version"])


async def test_ready_when_every_part_is(rig: Rig) -> None:
    answer = await rig.client.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert {name: part["ok"] for name, part in answer.json()["parts"].items()} == dict.fromkeys(
        ("gym", "database", "qr", "scans", "kafka_replies", "payments"), True
    )


async def test_one_part_away_is_503_and_says_which(rig: Rig) -> None:
    rig.replies.healthy = False
    answer = await rig.client.get("/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["kafka_replies"]
    rig.replies.healthy, rig.scanner_fails = True, ConnectionError()
    answer = await rig.client.get("/ready")
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["scans"]
    rig.scanner_fails, rig.gym.fails = None, ConnectionError()
    answer = await rig.client.get("/ready")
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["gym", "database"]


async def test_a_part_that_hangs_holds_nobody_up_and_is_asked_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.gateway.system.readiness._TIMEOUT_S", 0.1)
    asked = 0

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    rig.qr.before_answer = hangs
    answers = await asyncio.gather(*(rig.client.get("/ready") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].json()["parts"]["qr"]["latency_ms"] < 1000
    assert asked == 1


async def test_doors_are_ready_while_nobody_can_pay_and_it_is_said(rig: Rig) -> None:
    rig.payments.fails = ConnectionError()
    answer = await rig.client.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    parts = answer.json()["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == ["payments"]
    assert [name for name, part in parts.items() if not part["required"]] == ["payments"]


async def test_who_asks_for_the_doors_waits_for_payments_half_a_second_at_most(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.gateway.system.readiness._OPTIONAL_TIMEOUT_S", 0.05)
    rig.payments.delay_s = 30.0
    answer = await rig.client.get("/ready")
    assert answer.status_code == 200
    assert not answer.json()["parts"]["payments"]["ok"]
    assert answer.json()["parts"]["payments"]["latency_ms"] < 1000


async def test_every_code_of_the_domain_has_a_status() -> None:
    assert {problem.value for kind in (Problem, GymProblem, IdentityProblem) for problem in kind} <= set(KINDS)


async def test_the_page_needs_nothing_from_elsewhere_and_its_policy_lets_its_style_through(rig: Rig) -> None:
    answer = await rig.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert "http" not in page.replace("https://json-schema.org", "")
    assert "<script" not in page
    assert_keeps_policy(page, answer.headers["content-security-policy"])
    document = (await rig.client.get("/openapi.json")).json()
    for path in document["paths"]:
        assert path.replace("&", "&amp;") in page
    for code in KINDS:
        assert f'id="{code}"' in page
    anchors, targets = set(re.findall(r'href="#([^"]+)"', page)), set(re.findall(r'id="([^"]+)"', page))
    assert anchors <= targets


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_documentation_is_rendered_once_and_not_sent_to_a_client_that_has_it(rig: Rig, path: str) -> None:
    first, again = await rig.client.get(path), await rig.client.get(path)
    assert first.content == again.content
    assert first.headers["cache-control"] == "no-cache"
    for known in (first.headers["etag"], f"W/{first.headers['etag']}", f'"other", {first.headers["etag"]}', "*"):
        unchanged = await rig.client.get(path, headers={"If-None-Match": known})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == first.headers["etag"]
    assert (await rig.client.get(path, headers={"If-None-Match": '"other"'})).content == first.content
    head = await rig.client.head(path)
    assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])
