"""Alive, ready, and which version; and the documentation."""

import asyncio
import re

import pytest

from deployments.http.error_codes import KINDS
from domain.door.model import Problem
from domain.gyms.model import GymProblem
from domain.identity.model import IdentityProblem
from tests.unit.deployments.harness import Harness
from tests.web_pages import assert_keeps_policy

pytestmark = pytest.mark.anyio


async def test_alive_and_version_need_nothing(harness: Harness) -> None:
    harness.gym.fails = ConnectionError()
    assert (await harness.client.get("/health")).json() == {"alive": True}
    assert re.fullmatch(r"\d+\.\d+\.\d+", (await harness.client.get("/version")).json()["version"])


async def test_ready_when_every_service_is(harness: Harness) -> None:
    answer = await harness.client.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert {name: part["ok"] for name, part in answer.json()["parts"].items()} == dict.fromkeys(
        ("gym", "database", "qr", "scans", "kafka_replies", "payments"), True
    )


async def test_readiness_is_503_and_names_the_unavailable_service(harness: Harness) -> None:
    harness.replies.healthy = False
    answer = await harness.client.get("/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["kafka_replies"]
    harness.replies.healthy, harness.scanner_fails = True, ConnectionError()
    answer = await harness.client.get("/ready")
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["scans"]
    harness.scanner_fails, harness.gym.fails = None, ConnectionError()
    answer = await harness.client.get("/ready")
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["gym", "database"]


async def test_a_part_that_hangs_holds_nobody_up_and_is_asked_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.gateway.system.readiness._TIMEOUT_S", 0.1)
    asked = 0

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    harness.qr.before_answer = hangs
    answers = await asyncio.gather(*(harness.client.get("/ready") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].json()["parts"]["qr"]["latency_ms"] < 1000
    assert asked == 1


async def test_doors_are_ready_while_payments_are_unavailable_and_readiness_says_so(harness: Harness) -> None:
    harness.payments.fails = ConnectionError()
    answer = await harness.client.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    parts = answer.json()["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == ["payments"]
    assert [name for name, part in parts.items() if not part["required"]] == ["payments"]


async def test_who_asks_for_the_doors_waits_for_payments_half_a_second_at_most(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.gateway.system.readiness._OPTIONAL_TIMEOUT_S", 0.05)
    harness.payments.delay_s = 30.0
    answer = await harness.client.get("/ready")
    assert answer.status_code == 200
    assert not answer.json()["parts"]["payments"]["ok"]
    assert answer.json()["parts"]["payments"]["latency_ms"] < 1000


async def test_every_code_of_the_domain_has_a_status() -> None:
    assert {problem.value for kind in (Problem, GymProblem, IdentityProblem) for problem in kind} <= set(KINDS)


async def test_the_page_needs_nothing_from_elsewhere_and_its_policy_lets_its_style_through(harness: Harness) -> None:
    answer = await harness.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert "http" not in page.replace("https://json-schema.org", "")
    assert "<script" not in page
    assert_keeps_policy(page, answer.headers["content-security-policy"])
    document = (await harness.client.get("/openapi.json")).json()
    for path in document["paths"]:
        assert path.replace("&", "&amp;") in page
    for code in KINDS:
        assert f'id="{code}"' in page
    anchors, targets = set(re.findall(r'href="#([^"]+)"', page)), set(re.findall(r'id="([^"]+)"', page))
    assert anchors <= targets


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_documentation_is_rendered_once_and_not_sent_to_a_client_that_has_it(
    harness: Harness, path: str
) -> None:
    first, again = await harness.client.get(path), await harness.client.get(path)
    assert first.content == again.content
    assert first.headers["cache-control"] == "no-cache"
    for known in (first.headers["etag"], f"W/{first.headers['etag']}", f'"other", {first.headers["etag"]}', "*"):
        unchanged = await harness.client.get(path, headers={"If-None-Match": known})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == first.headers["etag"]
    for other in ('"other"', "", '"a, *, b"', "x" * 5000):
        assert (await harness.client.get(path, headers={"If-None-Match": other})).content == first.content
    two_headers = [("If-None-Match", '"other"'), ("If-None-Match", first.headers["etag"])]
    assert (await harness.client.get(path, headers=two_headers)).status_code == 304
    head = await harness.client.head(path)
    assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])
