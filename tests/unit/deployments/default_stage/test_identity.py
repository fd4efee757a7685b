"""Each identity call of the existing web client, row by row as its contract says."""

import asyncio
import json
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, update

from domain.identity.model import Role
from domain.identity.tables import users
from domain.ids import new_id
from tests.unit.deployments.default_stage.web_client import Stage, id_token
from tests.unit.deployments.gateway.signed_in_members import new_admin, new_member, sign_up
from tests.unit.deployments.harness import OTHER_ORIGIN, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD

pytestmark = pytest.mark.anyio

BOSS = "boss@example.com"


async def test_token_get_gives_the_provider_s_answer_as_text_and_the_roles(stage: Stage) -> None:
    await new_admin(stage.harness)
    answer = await stage.client.get("/api/token/get", params={"code": await stage.code(BOSS)})
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "roles"}
    assert answer.json()["roles"] == ["User", "Admin"]
    tokens = json.loads(answer.json()["token"])
    assert set(tokens) == {"id_token", "access_token", "refresh_token", "expires_in", "token_type"}
    by_access_token = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert_problem(await stage.client.get("/GetAllUsers", headers=by_access_token), 401, "unauthenticated")


async def test_the_same_code_gets_the_same_answer_on_every_replica_for_a_minute_and_no_longer(stage: Stage) -> None:
    await sign_up(stage.harness)
    code = await stage.code(EMAIL)
    async with stage.replica() as other:
        answers = await asyncio.gather(
            *(client.get("/api/token/get", params={"code": code}) for client in (stage.client, other) * 3)
        )
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        stage.harness.world.clock.forward(59)
        assert (await other.get("/api/token/get", params={"code": code})).text == answers[0].text
        stage.harness.world.clock.forward(2)
        late = await other.get("/api/token/get", params={"code": code})
    assert late.status_code == 400
    # Asked for again it was not put to the provider, who would have ended the session.
    me = {"Authorization": f"Bearer {json.loads(answers[0].json()['token'])['access_token']}"}
    assert (await stage.harness.client.get("/me", headers=me)).status_code == 200


async def test_a_code_of_the_callback_of_an_allowed_origin_is_exchanged_for_its_own_page_alone(stage: Stage) -> None:
    await sign_up(stage.harness)
    for headers, status in (({}, 400), ({"Origin": "http://evil.test"}, 400), ({"Origin": OTHER_ORIGIN}, 200)):
        code = stage.harness.provider.authorize(EMAIL, PASSWORD, f"{OTHER_ORIGIN}/callback", None)
        answer = await stage.client.get("/api/token/get", params={"code": str(code)}, headers=headers)
        assert answer.status_code == status, headers
    usual = {"Origin": "http://gym.test"}
    answer = await stage.client.get("/api/token/get", params={"code": await stage.code(EMAIL)}, headers=usual)
    assert answer.status_code == 200


async def test_a_code_that_nobody_gave_out_is_unknown(stage: Stage) -> None:
    for code in ("nonsense", "x" * 1024):
        assert (await stage.client.get("/api/token/get", params={"code": code})).status_code == 400
    for query in ("", "?code=", f"?code={'x' * 1025}"):
        assert_problem(await stage.client.get(f"/api/token/get{query}"), 422, "invalid_request")


async def test_what_is_kept_of_an_answer_cannot_be_read_without_the_code(stage: Stage) -> None:
    await sign_up(stage.harness)
    code = await stage.code(EMAIL)
    token = id_token(await stage.client.get("/api/token/get", params={"code": code}))
    database = stage.harness.settings.data_dir / "gym.sqlite3"
    kept = b"".join(file.read_bytes() for file in database.parent.glob("gym.sqlite3*"))
    assert token.encode() not in kept
    assert code.encode() not in kept


async def test_all_users_are_listed_with_their_groups_for_an_admin(stage: Stage) -> None:
    boss, ana = await new_admin(stage.harness), await new_member(stage.harness)
    answer = await stage.client.get("/GetAllUsers", headers=await stage.signed_in(BOSS))
    assert answer.status_code == 200
    assert sorted(answer.json(), key=lambda user: user["email"]) == [
        {"sub": str(ana.id), "email": EMAIL, "groups": ["User"]},
        {"sub": str(boss.id), "email": BOSS, "groups": ["Admin", "User"]},
    ]


async def test_a_group_is_given_and_taken_by_an_admin(stage: Stage) -> None:
    boss, ana = await new_admin(stage.harness), await new_member(stage.harness)
    headers = await stage.signed_in(BOSS)
    change = {"userId": str(ana.id), "groupName": "Admin", "action": "add"}
    assert (await stage.client.post("/AddUserToGroup", json=change, headers=headers)).status_code == 200
    account = stage.harness.provider.account(ana.id)
    assert account is not None
    assert account.groups == ("Admin", "User")
    change["action"] = "remove"
    assert (await stage.client.post("/AddUserToGroup", json=change, headers=headers)).status_code == 200
    last = change | {"userId": str(boss.id)}
    assert_problem(await stage.client.post("/AddUserToGroup", json=last, headers=headers), 409, "last_admin")
    unknown = change | {"userId": str(new_id())}
    assert_problem(await stage.client.post("/AddUserToGroup", json=unknown, headers=headers), 404, "unknown_user")
    for wrong in ({"groupName": "Owner"}, {"action": "put"}, {"userId": "x"}):
        answer = await stage.client.post("/AddUserToGroup", json=change | wrong, headers=headers)
        assert_problem(answer, 422, "invalid_request")


async def test_generate_draws_the_caller_s_own_pass_and_not_the_token(stage: Stage) -> None:
    ana = await new_member(stage.harness)
    await new_member(stage.harness, "eve@example.com")
    headers, other = await stage.signed_in(EMAIL), await stage.signed_in("eve@example.com")
    own = {"token": headers["Authorization"].removeprefix("Bearer ")}
    answer = await stage.client.post("/api/qr/generate", json=own, headers=headers)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == f"png:{ana.id}:300:300s".encode(), "300 pixels wide, and good for 300 s"
    assert_problem(await stage.client.post("/api/qr/generate", json=own, headers=other), 403, "forbidden")
    answer = await stage.client.post("/api/qr/generate", json={"token": "x"}, headers=headers)
    assert_problem(answer, 401, "unauthenticated")


async def test_validate_names_a_member_without_an_address(stage: Stage) -> None:
    ana = await new_member(stage.harness)
    headers = await stage.signed_in(EMAIL)
    with stage.harness.world.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == ana.id).values(email=None))
        name = connection.execute(select(users.c.name).where(users.c.id == ana.id)).scalar_one()
    answer = await stage.client.post("/api/qr/validate", json={"qrToken": str(ana.id)}, headers=headers)
    assert answer.json()["username"] == name


async def test_validate_says_whose_pass_it_is_to_its_owner_and_to_staff(stage: Stage) -> None:
    ana = await new_member(stage.harness)
    await new_admin(stage.harness)
    await new_member(stage.harness, "eve@example.com")
    shown = {"qrToken": str(ana.id)}  # what the stand-in reads as a pass
    for who in (EMAIL, BOSS):
        answer = await stage.client.post("/api/qr/validate", json=shown, headers=await stage.signed_in(who))
        assert answer.json() == {"username": EMAIL, "roles": ["User"], "expiration": "2026-03-02T12:00:45Z"}
        padded = await stage.client.post(
            "/api/qr/validate", json={"qrToken": f" {ana.id}\r\n"}, headers=await stage.signed_in(who)
        )
        assert padded.json() == answer.json(), "white space that a scanner adds"
    other = await stage.signed_in("eve@example.com")
    assert_problem(await stage.client.post("/api/qr/validate", json=shown, headers=other), 403, "forbidden")
    for nothing in ("forged", str(new_id())):
        answer = await stage.client.post(
            "/api/qr/validate", json={"qrToken": nothing}, headers=await stage.signed_in(BOSS)
        )
        assert_problem(answer, 401, "unauthenticated")


async def test_validate_says_until_when_a_long_lived_pass_is_good(stage: Stage) -> None:
    ana = await new_member(stage.harness)
    stage.harness.qr.reading = lambda _code: replace(stage.harness.world.code(ana.id), validity_s=300)
    headers = await stage.signed_in(EMAIL)
    answer = await stage.client.post("/api/qr/validate", json={"qrToken": "any"}, headers=headers)
    assert answer.json()["expiration"] == "2026-03-02T12:05:00Z"


async def test_the_entrance_answers_entered_left_full_or_why_not(stage: Stage) -> None:
    await new_admin(stage.harness)
    headers = await stage.signed_in(BOSS)
    answer = await stage.client.post("/api/qr/gym_entrance", json={"token": "x"}, headers=headers)
    assert_problem(answer, 404, "unknown_gate")
    stage.harness.gym_with_gate(capacity=1)
    one, two = stage.harness.world.members(2)

    async def enter(code: UUID | str) -> tuple[int, str]:
        answer = await stage.client.post("/api/qr/gym_entrance", json={"token": str(code)}, headers=headers)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        return answer.status_code, answer.text

    assert await enter(one) == (200, "Entered")
    stage.harness.world.clock.forward(5)
    assert await enter(f"{one}\n") == (200, "Entered"), "the same phone held up is answered again"
    stage.harness.world.clock.forward(60)
    assert await enter(two) == (200, "Full")
    assert await enter(one) == (200, "Left")
    assert await enter("forged") == (403, "unknown_pass")
    assert await enter(stage.harness.world.member(days=-10)) == (403, "membership_ended")


async def test_no_answer_of_the_door_in_time_is_503(stage: Stage) -> None:
    await new_admin(stage.harness)
    headers = await stage.signed_in(BOSS)
    stage.harness.gym_with_gate()
    stage.harness.producer.door = lambda _command: None
    answer = await stage.client.post("/api/qr/gym_entrance", json={"token": "x"}, headers=headers)
    assert_problem(answer, 503, "no_answer_in_time")


async def test_who_is_not_admin_administers_nothing_and_lets_nobody_in(stage: Stage) -> None:
    await sign_up(stage.harness)
    user = await stage.signed_in(EMAIL)
    staff = {"Authorization": f"Bearer {stage.tokens.give(Role.STAFF)}"}
    calls = (("GET", "/GetAllUsers"), ("POST", "/AddUserToGroup"), ("POST", "/api/qr/gym_entrance"))
    for method, path in calls:
        for headers in (user, staff):
            assert_problem(await stage.client.request(method, path, headers=headers), 403, "forbidden")
    for method, path in (*calls, ("POST", "/api/qr/generate"), ("POST", "/api/qr/validate")):
        assert_problem(await stage.client.request(method, path), 401, "unauthenticated")
    # In front of the function: a token that says Admin of somebody who is none at the provider any more.
    former = {"Authorization": f"Bearer {stage.tokens.give(Role.ADMIN)}"}
    assert_problem(await stage.client.get("/GetAllUsers", headers=former), 403, "forbidden")


async def test_the_client_s_own_origin_may_call(stage: Stage) -> None:
    asked = {"Origin": OTHER_ORIGIN, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type"
    answer = await stage.client.options("/AddUserToGroup", headers=asked)
    assert answer.headers["access-control-allow-origin"] == OTHER_ORIGIN
    answer = await stage.client.get("/nothing", headers={"Origin": OTHER_ORIGIN})
    assert_problem(answer, 404, "not_found")
    assert answer.headers["access-control-allow-origin"] == OTHER_ORIGIN
