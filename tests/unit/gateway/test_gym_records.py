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
from tests.unit.gateway.rig import GymWithGate, Rig, assert_problem
from tests.web_pages import assert_keeps_policy
from tests.world import START

pytestmark = pytest.mark.anyio


def offline(rig: Rig, at: GymWithGate, code: object, direction: str, ago_s: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    scanned_at = rig.world.clock.now - timedelta(seconds=ago_s)
    made = {
        "code": str(code),
        "gate_id": str(at.gate),
        "direction": direction,
        "scan_id": str(new_id()),
        "scanned_at": scanned_at.isoformat(),
    }
    return made | changes


async def uploaded(rig: Rig, at: GymWithGate, *scans: object) -> list[dict[str, Any]]:
    answer = await rig.client.post("/scans/offline", json={"scans": scans}, headers=at.headers)
    assert answer.status_code == 202, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_upload_is_recorded_scan_by_scan_and_may_be_repeated(rig: Rig) -> None:
    at, member = rig.gym_with_gate(), rig.world.member()
    scans = [offline(rig, at, member, "enter", 20), offline(rig, at, member, "leave", 5)]
    first = await uploaded(rig, at, *scans)
    assert [(one["status"], one["conflict"], one["replayed"]) for one in first] == [("recorded", None, False)] * 2
    again = await uploaded(rig, at, *reversed(scans))
    assert [(one["scan_id"], one["replayed"]) for one in again] == [
        (scans[1]["scan_id"], True),
        (scans[0]["scan_id"], True),
    ]
    visits = (await rig.client.get(f"/gyms/{at.gym}/visits", headers=rig.bearer(Role.STAFF))).json()["items"]
    assert [(one["member_id"], one["inferred"], one["left_at"] is None) for one in visits] == [
        (str(member), None, False)
    ]


async def test_a_door_keeps_public_keys_for_the_time_without_the_server(rig: Rig) -> None:
    at = rig.gym_with_gate()
    assert (await rig.client.get("/pass-keys", headers=at.headers)).json() == {
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


async def test_one_bad_scan_does_not_hold_up_the_others(rig: Rig) -> None:
    at, elsewhere, member = rig.gym_with_gate(), rig.gym_with_gate(), rig.world.member()
    good = offline(rig, at, member, "enter", 20)
    items = await uploaded(
        rig,
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
    empty = await rig.client.post("/scans/offline", json={"scans": []}, headers=at.headers)
    assert_problem(empty, 422, "invalid_request")


async def test_what_is_not_answered_in_time_is_queued_and_what_is_not_sent_is_to_be_sent_again(rig: Rig) -> None:
    at, member = rig.gym_with_gate(), rig.world.member()
    made = offline(rig, at, member, "enter", 20)
    rig.producer.door = lambda _command: None
    assert [one["status"] for one in await uploaded(rig, at, made)] == ["queued"]
    rig.producer.refuses = lambda _command: True
    assert [one["status"] for one in await uploaded(rig, at, made)] == ["not_taken"]
    rig.replies.ready = False
    answer = await rig.client.post("/scans/offline", json={"scans": [made]}, headers=at.headers)
    assert_problem(answer, 503, "unavailable")


async def test_conflicts_are_listed_until_staff_settle_them(rig: Rig) -> None:
    at, staff = rig.gym_with_gate(), rig.bearer(Role.STAFF)
    await uploaded(rig, at, offline(rig, at, rig.world.member(), "leave", 20))
    (open_one,) = (await rig.client.get(f"/gyms/{at.gym}/conflicts", headers=staff)).json()["items"]
    assert (open_one["kind"], open_one["outcome"], open_one["member_name"]) == ("not_inside", "left", "Mia")
    path = f"/conflicts/{open_one['id']}/settle"
    settled = await rig.client.post(path, json={"note": "came in by the fire exit"}, headers=staff)
    assert settled.json()["note"] == "came in by the fire exit"
    assert (await rig.client.get(f"/gyms/{at.gym}/conflicts", headers=staff)).json()["items"] == []
    listed = await rig.client.get(f"/gyms/{at.gym}/conflicts?settled=true", headers=staff)
    assert [one["id"] for one in listed.json()["items"]] == [open_one["id"]]
    unknown = await rig.client.post(f"/conflicts/{new_id()}/settle", json={"note": "x"}, headers=staff)
    assert_problem(unknown, 404, "unknown_conflict")


async def test_a_head_count_is_taken_in_and_kept(rig: Rig) -> None:
    at, staff = rig.gym_with_gate(), rig.bearer(Role.STAFF)
    for member in rig.world.members(3):
        await rig.scan(at, member)
    body = {"counted": 1, "reason": "fire drill", "count_id": "noon"}
    counted = (await rig.client.post(f"/gyms/{at.gym}/head-counts", json=body, headers=staff)).json()
    assert (counted["before"], counted["closed"], counted["occupancy"], counted["replayed"]) == (3, 2, 1, False)
    again = await rig.client.post(f"/gyms/{at.gym}/head-counts", json=body, headers=staff)
    assert again.json() == counted | {"replayed": True}
    (kept,) = (await rig.client.get(f"/gyms/{at.gym}/head-counts", headers=staff)).json()["items"]
    assert (kept["counted"], kept["reason"], kept["before"]) == (1, "fire drill", 3)
    other = await rig.client.post(f"/gyms/{at.gym}/head-counts", json=body | {"counted": 2}, headers=staff)
    assert_problem(other, 409, "request_id_reused")
    wrong = await rig.client.post(f"/gyms/{at.gym}/head-counts", json={"counted": -1, "reason": ""}, headers=staff)
    assert {fault["field"] for fault in assert_problem(wrong, 422, "invalid_request")["fields"]} == {
        "counted",
        "reason",
    }


async def at_machine(rig: Rig, what: str, machine: UUID, headers: dict[str, str], **body: str) -> httpx.Response:
    return await rig.client.post(f"/machines/{machine}/{what}", json=body or None, headers=headers)


async def test_a_machine_is_used_and_released(rig: Rig) -> None:
    at = rig.gym_with_gate()
    member, machine = rig.world.member(), rig.world.machine(at.gym)
    own, staff = rig.bearer(Role.USER, user_id=member), rig.bearer(Role.USER, Role.STAFF)
    outside = (await at_machine(rig, "use", machine, own, request_id="one")).json()
    assert (outside["outcome"], outside["reason"]) == ("refused", "not_inside")
    await rig.scan(at, member)
    assert (await at_machine(rig, "use", machine, own, request_id="one")).json() == outside | {"replayed": True}
    assert (await at_machine(rig, "use", machine, own)).json()["outcome"] == "used"
    other = (await at_machine(rig, "release", machine, rig.bearer(Role.USER))).json()
    assert (other["outcome"], other["reason"]) == ("refused", "not_using")
    freed = (await at_machine(rig, "release", machine, staff)).json()
    assert (freed["outcome"], freed["member_id"]) == ("released", str(member))
    assert_problem(await at_machine(rig, "use", new_id(), own), 404, "unknown_machine")
    rig.commands.silent = True
    assert_problem(await at_machine(rig, "use", machine, own), 503, "no_answer_in_time")


async def test_the_visits_of_a_day_are_those_of_the_gyms_own_calendar(rig: Rig) -> None:
    at, staff = rig.gym_with_gate(), rig.bearer(Role.STAFF)
    rig.world.clock.now = START.replace(hour=22, minute=30)  # Berlin: half past eleven
    early, late = rig.world.members(2)
    await rig.scan(at, early)
    rig.world.clock.forward(3600)
    await rig.scan(at, late)
    days = {"2026-03-02": early, "2026-03-03": late}
    for day, member in days.items():
        listed = await rig.client.get(f"/gyms/{at.gym}/visits?day={day}", headers=staff)
        assert [one["member_id"] for one in listed.json()["items"]] == [str(member)]
    own = await rig.client.get(f"/users/{late}/visits", headers=staff)
    assert [one["gym_id"] for one in own.json()["items"]] == [str(at.gym)]
    assert_problem(await rig.client.get(f"/gyms/{new_id()}/visits", headers=staff), 404, "unknown_gym")


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "3000-01-01", "9999-12-31"])
async def test_a_day_out_of_reach_is_refused_with_the_days_that_are_not(rig: Rig, day: str) -> None:
    at = rig.gym_with_gate()
    answer = await rig.client.get(f"/gyms/{at.gym}/visits?day={day}", headers=rig.bearer(Role.STAFF))
    assert assert_problem(answer, 422, "invalid_request")["fields"] == [
        {"field": "day", "detail": "must be between 2000-01-01 and 2999-12-31"}
    ]


async def test_the_roll_call_is_a_page_a_table_and_a_pdf(rig: Rig) -> None:
    at, staff = rig.gym_with_gate(), rig.bearer(Role.STAFF)
    for member in rig.world.members(2):
        await rig.scan(at, member)
    shown = await rig.client.get(f"/gyms/{at.gym}/inside.html", headers=staff)
    assert shown.headers["content-type"].startswith("text/html")
    assert_keeps_policy(shown.text, shown.headers["content-security-policy"])
    assert "2 of 100 inside, 2026-03-02 13:00:00 Europe/Berlin" in shown.text
    listed = await rig.client.get(f"/gyms/{at.gym}/inside.csv", headers=staff)
    assert [row[0] for row in csv.reader(io.StringIO(listed.content.decode("utf-8-sig")))] == ["name", "Mia", "Mia"]
    assert listed.headers["content-type"] == "text/csv; charset=utf-8"
    printed = await rig.client.get(f"/gyms/{at.gym}/inside.pdf", headers=staff)
    assert printed.content.startswith(b"%PDF")
    for kind in ("html", "csv", "pdf"):
        unknown = await rig.client.get(f"/gyms/{new_id()}/inside.{kind}", headers=staff)
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
async def test_a_number_or_a_moment_is_no_day(rig: Rig, day: str) -> None:
    at = rig.gym_with_gate()
    answer = await rig.client.get(f"/gyms/{at.gym}/visits", params={"day": day}, headers=rig.bearer(Role.STAFF))
    assert assert_problem(answer, 422, "invalid_request")["fields"] == [
        {"field": "day", "detail": "must be a date such as 2026-12-25"}
    ]
