"""From the sign-up to the sign-out, by the interface, on the local provider."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import ANY
from uuid import UUID, uuid4

import httpx
import pytest

from deployments.http.confirmed_cache import Freshness
from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.gateway.signed_in_members import (
    SignedInMember,
    new_admin,
    new_member,
    sign_in,
    sign_up,
    try_to_sign_in,
)
from tests.unit.deployments.harness import Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, OTHER_PASSWORD, PASSWORD
from tests.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def quick(world: World) -> AsyncIterator[Harness]:
    """A replica that confirms what it remembers before every call."""
    harness = Harness(world, freshness=Freshness(trust_for=0, deny_for=0))
    async with harness.client:
        yield harness


async def test_a_member_signs_up_confirms_signs_in_and_is_known(harness: Harness) -> None:
    assert_problem(await try_to_sign_in(harness), 401, "wrong_credentials")
    answer = await harness.client.post(
        "/sign-up", json={"email": " Ana@Example.com ", "password": PASSWORD, "name": "Ana"}
    )
    assert (answer.status_code, answer.json()["email"]) == (202, EMAIL)
    sign_up_id = answer.json()["sign_up_id"]
    assert_problem(await try_to_sign_in(harness), 403, "not_confirmed")
    code = harness.mailbox.code_for(EMAIL)
    wrong = {"email": EMAIL, "code": f"{(int(code) + 1) % 1_000_000:06d}"}
    assert_problem(await harness.client.post("/sign-up/confirm", json=wrong), 422, "wrong_code")
    typed = {"email": EMAIL, "code": f"{code[:3]} {code[3:]}", "sign_up_id": sign_up_id}
    answer = await harness.client.post("/sign-up/confirm", json=typed)
    assert answer.status_code == 204
    member = await sign_in(harness)
    assert member.tokens["token_type"] == "Bearer"  # noqa: S105 - a word, not a secret
    assert member.tokens["expires_in"] == 3600
    assert member.tokens["user"] == {"id": str(member.id), "email": EMAIL, "name": "Ana", "roles": ["User"]}
    me = (await harness.client.get("/me", headers=member.headers)).json()
    assert (me["id"], me["name"], me["roles"]) == (str(member.id), "Ana", ["User"])


async def test_only_the_mail_reveals_whether_an_account_exists(harness: Harness) -> None:
    await sign_up(harness)
    harness.mailbox.mails.clear()
    known = await harness.client.post("/sign-up", json={"email": EMAIL, "password": PASSWORD, "name": "Eve"})
    assert (known.status_code, known.json()) == (202, {"email": EMAIL, "sign_up_id": ANY})
    assert UUID(known.json()["sign_up_id"]).version == 4
    assert [mail.code for mail in harness.mailbox.to(EMAIL)] == [None], "its owner is told, and gets no code"
    for path in ("/password/forgot", "/sign-up/resend"):
        answers = [await harness.client.post(path, json={"email": email}) for email in (EMAIL, "nobody@example.com")]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json().keys() == answers[1].json().keys()
    refused = [await try_to_sign_in(harness, email, "wrong") for email in (EMAIL, "nobody@example.com")]
    details = [assert_problem(answer, 401, "wrong_credentials")["detail"] for answer in refused]
    assert details[0] == details[1]


async def test_another_code_is_sent_for_the_sign_up_that_is_named(harness: Harness) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD, "name": "Ana"}
    sign_up_id = (await harness.client.post("/sign-up", json=wanted)).json()["sign_up_id"]
    answer = await harness.client.post("/sign-up/resend", json={"email": EMAIL, "sign_up_id": str(uuid4())})
    assert (answer.status_code, answer.json(), len(harness.mailbox.mails)) == (202, {"email": EMAIL}, 1)
    answer = await harness.client.post("/sign-up/resend", json={"email": EMAIL, "sign_up_id": sign_up_id})
    assert (answer.status_code, answer.json(), len(harness.mailbox.mails)) == (202, {"email": EMAIL}, 2)
    shown = {"email": EMAIL, "sign_up_id": sign_up_id, "code": harness.mailbox.code_for(EMAIL)}
    other = shown | {"sign_up_id": str(uuid4())}
    assert_problem(await harness.client.post("/sign-up/confirm", json=other), 422, "wrong_code")
    assert (await harness.client.post("/sign-up/confirm", json=shown)).status_code == 204


async def test_sign_ups_until_they_are_held_off_are_answered_alike_with_and_without_an_account(
    harness: Harness,
) -> None:
    await sign_up(harness)
    harness.world.clock.forward(48 * 3600)  # the sign-up that made the account is counted no longer
    seen: list[list[object]] = []
    for email in (EMAIL, "nobody@example.com"):
        wanted = {"email": email, "password": PASSWORD, "name": "Eve"}
        answers = [await harness.client.post("/sign-up", json=wanted) for _ in range(9)]
        assert_problem(answers[-1], 429, "too_many_attempts")
        seen.append(
            [
                (
                    answer.status_code,
                    answer.headers.get("retry-after"),
                    sorted(answer.json()),
                    answer.json().get("code"),
                )
                for answer in answers
            ]
        )
    assert seen[0] == seen[1]


async def test_wrong_tries_have_to_wait_longer_each_time_whether_or_not_there_is_such_an_account(
    harness: Harness,
) -> None:
    await sign_up(harness)
    for email in (EMAIL, "nobody@example.com"):
        for _ in range(harness.settings.identity.failed_attempts_before_delay):
            assert_problem(await try_to_sign_in(harness, email, "wrong"), 401, "wrong_credentials")
        waits = []
        for _ in range(4):
            held_off = await try_to_sign_in(harness, email, PASSWORD)
            assert_problem(held_off, 429, "too_many_attempts")
            waits.append(int(held_off.headers["retry-after"]))
            harness.world.clock.forward(waits[-1])
            await try_to_sign_in(harness, email, "wrong")
        assert waits == [1, 2, 4, 8]
    harness.world.clock.forward(16)
    assert (await try_to_sign_in(harness)).status_code == 201


async def test_a_weak_password_is_refused_with_its_fix(harness: Harness) -> None:
    answer = await harness.client.post("/sign-up", json={"email": EMAIL, "password": "short", "name": "Ana"})
    assert "12" in assert_problem(answer, 422, "weak_password")["detail"]
    assert harness.mailbox.mails == []


async def refresh(
    harness: Harness, tokens: dict[str, Any], device: str = "phone", address: str = "192.0.2.1"
) -> httpx.Response:
    sent = {"User-Agent": device, "X-Forwarded-For": address}
    return await harness.client.post("/sessions/refresh", json={"refresh_token": tokens["refresh_token"]}, headers=sent)


async def test_a_session_goes_on_and_a_lost_answer_is_given_again_to_the_same_device(quick: Harness) -> None:
    member = await new_member(quick)
    fresh = (await refresh(quick, member.tokens)).json()
    assert fresh["session_id"] == member.session_id
    quick.world.clock.forward(9)
    again = await refresh(quick, member.tokens)
    assert again.json()["refresh_token"] == fresh["refresh_token"]
    for tokens in (member.tokens, fresh, again.json()):
        assert (await quick.client.get("/me", headers=SignedInMember(tokens).headers)).status_code == 200


@pytest.mark.parametrize("elsewhere", [{"device": "curl"}, {"address": "192.0.2.2"}, {"after": 10}])
async def test_a_spent_refresh_token_ends_the_session_with_its_access_tokens(
    quick: Harness, elsewhere: dict[str, Any]
) -> None:
    member, other = await new_member(quick), await new_member(quick, "bo@example.com")
    fresh = (await refresh(quick, member.tokens)).json()
    quick.world.clock.forward(elsewhere.pop("after", 0))
    assert_problem(await refresh(quick, member.tokens, **elsewhere), 401, "session_over")
    assert_problem(await refresh(quick, fresh), 401, "session_over")
    for tokens in (member.tokens, fresh):
        answer = await quick.client.get("/me", headers=SignedInMember(tokens).headers)
        assert_problem(answer, 401, "unauthenticated")
    assert (await quick.client.get("/me", headers=other.headers)).status_code == 200


async def test_sign_out_ends_this_session_alone(quick: Harness) -> None:
    await sign_up(quick)
    here = await sign_in(quick, device="phone")
    quick.world.clock.forward(1)
    there = await sign_in(quick, device="tablet")
    listed = (await quick.client.get("/me/sessions", headers=here.headers)).json()["items"]
    assert [(one["device"], one["current"]) for one in listed] == [("tablet", False), ("phone", True)]
    body = {"refresh_token": here.tokens["refresh_token"]}
    answer = await quick.client.request("DELETE", "/sessions/current", headers=here.headers, json=body)
    assert answer.status_code == 204
    assert_problem(await quick.client.get("/me", headers=here.headers), 401, "unauthenticated")
    assert (await quick.client.get("/me", headers=there.headers)).status_code == 200
    assert_problem(await quick.client.post("/sessions/refresh", json=body), 401, "session_over")


async def test_sign_out_everywhere_ends_all_sessions_and_their_refresh_tokens(quick: Harness) -> None:
    await sign_up(quick)
    members = [await sign_in(quick) for _ in range(2)]
    assert (await quick.client.delete("/me/sessions", headers=members[0].headers)).status_code == 204
    for member in members:
        assert_problem(await quick.client.get("/me", headers=member.headers), 401, "unauthenticated")
        answer = await quick.client.post("/sessions/refresh", json={"refresh_token": member.tokens["refresh_token"]})
        assert_problem(answer, 401, "session_over")


async def test_a_session_that_was_ended_cannot_be_gone_on_with(quick: Harness) -> None:
    await sign_up(quick)
    here, lost = await sign_in(quick), await sign_in(quick)
    answer = await quick.client.delete(f"/me/sessions/{lost.session_id}", headers=here.headers)
    assert answer.status_code == 204
    answer = await quick.client.post("/sessions/refresh", json={"refresh_token": lost.tokens["refresh_token"]})
    assert_problem(answer, 401, "session_over")
    assert_problem(await quick.client.get("/me", headers=lost.headers), 401, "unauthenticated")


async def test_nobody_ends_or_sees_another_member_s_session(quick: Harness) -> None:
    ana, eve = await new_member(quick), await new_member(quick, "eve@example.com")
    answer = await quick.client.delete(f"/me/sessions/{ana.session_id}", headers=eve.headers)
    assert_problem(answer, 404, "unknown_session")
    assert (await quick.client.get("/me", headers=ana.headers)).status_code == 200
    listed = (await quick.client.get("/me/sessions", headers=eve.headers)).json()["items"]
    assert [one["id"] for one in listed] == [eve.session_id]
    exported = (await quick.client.get("/me/export", headers=eve.headers)).text
    assert str(eve.id) in exported
    assert str(ana.id) not in exported


async def test_another_s_session_is_not_entered_with_a_token_of_one_s_own(harness: Harness) -> None:
    ana = await new_member(harness)
    token = harness.tokens.give(Role.USER)
    stolen = harness.tokens.callers[token]
    harness.tokens.callers[token] = type(stolen)(
        new_id(), stolen.groups, UUID(ana.session_id), stolen.issued_at, stolen.expires_at, email="eve@example.com"
    )
    for _ in range(2):  # asked, then remembered
        answer = await harness.client.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert_problem(answer, 401, "unauthenticated")
        assert (await harness.client.get("/me", headers=ana.headers)).status_code == 200


async def test_a_changed_password_ends_the_other_sessions(quick: Harness) -> None:
    await sign_up(quick)
    here, there = await sign_in(quick), await sign_in(quick)
    change = {"old_password": "wrong", "new_password": OTHER_PASSWORD}
    answer = await quick.client.post("/password/change", json=change, headers=here.headers)
    assert_problem(answer, 401, "wrong_credentials")
    change["old_password"] = PASSWORD
    assert (await quick.client.post("/password/change", json=change, headers=here.headers)).status_code == 204
    assert (await quick.client.get("/me", headers=here.headers)).status_code == 200
    assert_problem(await quick.client.get("/me", headers=there.headers), 401, "unauthenticated")
    assert_problem(await try_to_sign_in(quick), 401, "wrong_credentials")
    assert (await try_to_sign_in(quick, password=OTHER_PASSWORD)).status_code == 201


async def test_a_forgotten_password_is_set_by_the_code_and_ends_all_sessions(quick: Harness) -> None:
    member = await new_member(quick)
    forgot = await quick.client.post("/password/forgot", json={"email": EMAIL})
    assert (forgot.status_code, forgot.json()["email"]) == (202, EMAIL)
    reset = {"email": EMAIL, "code": quick.mailbox.code_for(EMAIL), "password": OTHER_PASSWORD}
    refused = await quick.client.post("/password/reset", json=reset | {"reset_id": str(uuid4())})
    assert_problem(refused, 422, "wrong_code")
    reset["reset_id"] = forgot.json()["reset_id"]
    assert (await quick.client.post("/password/reset", json=reset)).status_code == 204
    assert_problem(await quick.client.get("/me", headers=member.headers), 401, "unauthenticated")
    assert_problem(await quick.client.post("/password/reset", json=reset), 422, "wrong_code")
    assert (await try_to_sign_in(quick, password=OTHER_PASSWORD)).status_code == 201


async def test_id_tokens_are_not_for_the_interface(harness: Harness) -> None:
    member = await new_member(harness)
    answer = await harness.client.get("/me", headers={"Authorization": f"Bearer {member.tokens['id_token']}"})
    assert_problem(answer, 401, "unauthenticated")


async def test_a_role_counts_from_the_next_token_on_and_a_taken_one_no_longer_at_once(quick: Harness) -> None:
    admin, ana = await new_admin(quick), await new_member(quick)
    assert_problem(await quick.client.get("/users", headers=ana.headers), 403, "forbidden")
    quick.world.clock.forward(1)
    given = await quick.client.put(f"/users/{ana.id}/roles/Staff", headers=admin.headers)
    assert given.json()["roles"] == ["User", "Staff"]
    assert_problem(await quick.client.get("/users", headers=ana.headers), 403, "forbidden")
    quick.world.clock.forward(1)
    answer = await quick.client.post("/sessions/refresh", json={"refresh_token": ana.tokens["refresh_token"]})
    staff = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await quick.client.get("/users", headers=staff)).status_code == 200
    quick.world.clock.forward(1)
    taken = await quick.client.delete(f"/users/{ana.id}/roles/Staff", headers=admin.headers)
    assert taken.json()["roles"] == ["User"]
    assert_problem(await quick.client.get("/users", headers=staff), 403, "forbidden")


async def test_many_requests_with_a_new_token_ask_once_who_it_is(harness: Harness) -> None:

    headers = harness.bearer(Role.USER)
    answers = await asyncio.gather(*(harness.client.get("/gyms", headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert harness.identity.calls.count("SignInService.know_caller") == 1
