"""What staff see and correct of a gym, and what a door uploads that was cut off."""

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from deployments.gateway.door.roll_call_sheets import page, sheet, table
from domain.door.list_model import Inside, RollCall
from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.harness import GymWithGate, Harness, assert_problem
from tests.web_pages import assert_keeps_policy
from tests.world import START

pytestmark = pytest.mark.anyio


def offline(
    harness: Harness,
    at: GymWithGate,
    code: object,
    direction: str,
    ago_s: float,
    **changes: Any,  # noqa: ANN401 - any JSON
) -> dict[str, Any]:
    scanned_at = harness.world.clock.now - timedelta(seconds=ago_s)
    made = {
        "code": str(code),
        "gate_id": str(at.gate),
        "direction": direction,
        "scan_id": str(new_id()),
        "scanned_at": scanned_at.isoformat(),
    }
    return made | changes


async def uploaded(harness: Harness, at: GymWithGate, *scans: object) -> list[dict[str, Any]]:
    answer = await harness.client.post("/scans/offline", json={"scans": scans}, headers=at.headers)
    assert answer.status_code == 202, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_upload_is_recorded_scan_by_scan_and_may_be_repeated(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    scans = [offline(harness, at, member, "enter", 20), offline(harness, at, member, "leave", 5)]
    first = await uploaded(harness, at, *scans)
    assert [(one["status"], one["conflict"], one["replayed"]) for one in first] == [("recorded", None, False)] * 2
    again = await uploaded(harness, at, *reversed(scans))
    assert [(one["scan_id"], one["replayed"]) for one in again] == [
        (scans[1]["scan_id"], True),
        (scans[0]["scan_id"], True),
    ]
    visits = (await harness.client.get(f"/gyms/{at.gym}/visits", headers=harness.bearer(Role.STAFF))).json()["items"]
    assert [(one["member_id"], one["inferred"], one["left_at"] is None) for one in visits] == [
        (str(member), None, False)
    ]


async def test_a_door_keeps_public_keys_for_the_time_without_the_server(harness: Harness) -> None:
    at = harness.gym_with_gate()
    assert (await harness.client.get("/pass-keys", headers=at.headers)).json() == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "kid": "k1",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }
        ],
        "good_before_s": 10,
        "good_after_s": 45,
        "most_admitted": 200,
    }


async def test_one_bad_scan_does_not_hold_up_the_others(harness: Harness) -> None:
    at, elsewhere, member = harness.gym_with_gate(), harness.gym_with_gate(), harness.world.member()
    good = offline(harness, at, member, "enter", 20)
    items = await uploaded(
        harness,
        at,
        17,
        good | {"direction": "auto", "scan_id": "a"},
        good | {"gate_id": str(new_id()), "scan_id": "b"},
        good | {"gate_id": str(elsewhere.gate), "scan_id": "c"},
        good | {"code": "nonsense", "scan_id": "d"},
        good,
        good | {"direction": "leave"},
    )
    assert [one["status"] for one in items] == [
        "invalid",
        "invalid",
        "unknown_gate",
        "gate_of_another_gym",
        "recorded",
        "recorded",
        "scan_id_reused",
    ]
    assert [one["scan_id"] for one in items[:2]] == [None, "a"]
    assert "direction" in items[1]["detail"]
    assert items[4]["conflict"] == "unknown_pass"
    empty = await harness.client.post("/scans/offline", json={"scans": []}, headers=at.headers)
    assert_problem(empty, 422, "invalid_request")


async def test_what_is_not_answered_in_time_is_queued_and_what_is_not_sent_is_to_be_sent_again(
    harness: Harness,
) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    made = offline(harness, at, member, "enter", 20)
    harness.producer.door = lambda _command: None
    assert [one["status"] for one in await uploaded(harness, at, made)] == ["queued"]
    harness.producer.refuses = lambda _command: True
    assert [one["status"] for one in await uploaded(harness, at, made)] == ["not_taken"]
    harness.replies.ready = False
    answer = await harness.client.post("/scans/offline", json={"scans": [made]}, headers=at.headers)
    assert_problem(answer, 503, "unavailable")


async def test_conflicts_are_listed_until_staff_settle_them(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    await uploaded(harness, at, offline(harness, at, harness.world.member(), "leave", 20))
    (open_one,) = (await harness.client.get(f"/gyms/{at.gym}/conflicts", headers=staff)).json()["items"]
    assert (open_one["kind"], open_one["outcome"], open_one["member_name"]) == ("not_inside", "left", "Mia")
    path = f"/conflicts/{open_one['id']}/settle"
    settled = await harness.client.post(path, json={"note": "came in by the fire exit"}, headers=staff)
    assert settled.json()["note"] == "came in by the fire exit"
    assert (await harness.client.get(f"/gyms/{at.gym}/conflicts", headers=staff)).json()["items"] == []
    listed = await harness.client.get(f"/gyms/{at.gym}/conflicts?settled=true", headers=staff)
    assert [one["id"] for one in listed.json()["items"]] == [open_one["id"]]
    unknown = await harness.client.post(f"/conflicts/{new_id()}/settle", json={"note": "x"}, headers=staff)
    assert_problem(unknown, 404, "unknown_conflict")


async def test_a_head_count_is_taken_in_and_kept(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    for member in harness.world.members(3):
        await harness.scan(at, member)
    body = {"counted": 1, "reason": "fire drill", "count_id": "noon"}
    counted = (await harness.client.post(f"/gyms/{at.gym}/head-counts", json=body, headers=staff)).json()
    assert (counted["before"], counted["closed"], counted["occupancy"], counted["replayed"]) == (3, 2, 1, False)
    again = await harness.client.post(f"/gyms/{at.gym}/head-counts", json=body, headers=staff)
    assert again.json() == counted | {"replayed": True}
    (kept,) = (await harness.client.get(f"/gyms/{at.gym}/head-counts", headers=staff)).json()["items"]
    assert (kept["counted"], kept["reason"], kept["before"]) == (1, "fire drill", 3)
    other = await harness.client.post(f"/gyms/{at.gym}/head-counts", json=body | {"counted": 2}, headers=staff)
    assert_problem(other, 409, "request_id_reused")
    wrong = await harness.client.post(f"/gyms/{at.gym}/head-counts", json={"counted": -1, "reason": ""}, headers=staff)
    assert {fault["field"] for fault in assert_problem(wrong, 422, "invalid_request")["fields"]} == {
        "counted",
        "reason",
    }


async def at_machine(
    harness: Harness, what: str, machine: UUID, headers: dict[str, str], **body: str
) -> httpx.Response:
    return await harness.client.post(f"/machines/{machine}/{what}", json=body or None, headers=headers)


async def test_a_machine_is_used_and_released(harness: Harness) -> None:
    at = harness.gym_with_gate()
    member, machine = harness.world.member(), harness.world.machine(at.gym)
    own, staff = harness.bearer(Role.USER, user_id=member), harness.bearer(Role.USER, Role.STAFF)
    outside = (await at_machine(harness, "use", machine, own, request_id="one")).json()
    assert (outside["outcome"], outside["reason"]) == ("refused", "not_inside")
    await harness.scan(at, member)
    assert (await at_machine(harness, "use", machine, own, request_id="one")).json() == outside | {"replayed": True}
    assert (await at_machine(harness, "use", machine, own)).json()["outcome"] == "used"
    other = (await at_machine(harness, "release", machine, harness.bearer(Role.USER))).json()
    assert (other["outcome"], other["reason"]) == ("refused", "not_using")
    freed = (await at_machine(harness, "release", machine, staff)).json()
    assert (freed["outcome"], freed["member_id"]) == ("released", str(member))
    assert_problem(await at_machine(harness, "use", new_id(), own), 404, "unknown_machine")
    harness.commands.silent = True
    assert_problem(await at_machine(harness, "use", machine, own), 503, "no_answer_in_time")


async def test_the_visits_of_a_day_are_those_of_the_gyms_own_calendar(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    harness.world.clock.now = START.replace(hour=22, minute=30)  # Berlin: half past eleven
    early, late = harness.world.members(2)
    await harness.scan(at, early)
    harness.world.clock.forward(3600)
    await harness.scan(at, late)
    days = {"2026-03-02": early, "2026-03-03": late}
    for day, member in days.items():
        listed = await harness.client.get(f"/gyms/{at.gym}/visits?day={day}", headers=staff)
        assert [one["member_id"] for one in listed.json()["items"]] == [str(member)]
    own = await harness.client.get(f"/users/{late}/visits", headers=staff)
    assert [one["gym_id"] for one in own.json()["items"]] == [str(at.gym)]
    assert_problem(await harness.client.get(f"/gyms/{new_id()}/visits", headers=staff), 404, "unknown_gym")


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "3000-01-01", "9999-12-31"])
async def test_a_day_out_of_reach_is_refused_with_the_days_that_are_not(harness: Harness, day: str) -> None:
    at = harness.gym_with_gate()
    answer = await harness.client.get(f"/gyms/{at.gym}/visits?day={day}", headers=harness.bearer(Role.STAFF))
    assert assert_problem(answer, 422, "invalid_request")["fields"] == [
        {"field": "day", "detail": "must be between 2000-01-01 and 2999-12-31"}
    ]


async def test_the_roll_call_is_a_page_a_table_and_a_pdf(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    for member in harness.world.members(2):
        await harness.scan(at, member)
    shown = await harness.client.get(f"/gyms/{at.gym}/inside.html", headers=staff)
    assert shown.headers["content-type"].startswith("text/html")
    assert_keeps_policy(shown.text, shown.headers["content-security-policy"])
    assert "2 of 100 inside, 2026-03-02 13:00:00 Europe/Berlin" in shown.text
    listed = await harness.client.get(f"/gyms/{at.gym}/inside.csv", headers=staff)
    assert [row[0] for row in csv.reader(io.StringIO(listed.content.decode("utf-8-sig")))] == ["name", "Mia", "Mia"]
    assert listed.headers["content-type"] == "text/csv; charset=utf-8"
    printed = await harness.client.get(f"/gyms/{at.gym}/inside.pdf", headers=staff)
    assert printed.content.startswith(b"%PDF")
    for kind in ("html", "csv", "pdf"):
        unknown = await harness.client.get(f"/gyms/{new_id()}/inside.{kind}", headers=staff)
        assert_problem(unknown, 404, "unknown_gym")


def test_names_of_any_letters_are_shown_and_run_nothing() -> None:
    names = ["<script>alert(1)</script>", "Łukasz Żółć", "王芳", "=cmd()", None]
    inside = tuple(Inside(new_id(), None, name, START, None, "Gate & Co") for name in names)
    call = RollCall("Gym <1>", "Europe/Berlin", 5, inside, more=False)
    shown = page(call, START)
    assert "<script>" not in shown
    assert "王芳" in shown
    assert "(counted, without a name)" in shown
    assert sheet(call, START).startswith(b"%PDF")
    assert [line.split(",")[0] for line in table(call).decode("utf-8-sig").splitlines()] == [
        "name",
        names[0],
        names[1],
        names[2],
        "'=cmd()",
        "",
    ]


@pytest.mark.parametrize("day", ["1764460800", "20261130", "2026-11-30T00:00:00Z", "-1", "2026-11-30 "])
async def test_a_number_or_a_moment_is_no_day(harness: Harness, day: str) -> None:
    at = harness.gym_with_gate()
    answer = await harness.client.get(f"/gyms/{at.gym}/visits", params={"day": day}, headers=harness.bearer(Role.STAFF))
    assert assert_problem(answer, 422, "invalid_request")["fields"] == [
        {"field": "day", "detail": "must be a date such as 2026-12-25"}
    ]
