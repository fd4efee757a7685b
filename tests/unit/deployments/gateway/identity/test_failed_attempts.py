"""Who guesses passwords and codes is delayed, whatever else they call; the owner gets in meanwhile."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from deployments.identity.signed_in import AuthorizationCode
from domain.identity.model import Client
from tests.unit.deployments.gateway.signed_in_members import sign_up, try_to_sign_in
from tests.unit.deployments.harness import Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, OTHER_PASSWORD, PASSWORD, REDIRECT

pytestmark = pytest.mark.anyio

HOME, ATTACKER = "192.0.2.1", "203.0.113.5"
Call = Callable[[Harness, str], Coroutine[Any, Any, httpx.Response]]


@pytest.fixture
def harness(harness: Harness) -> Harness:
    """With a client that keeps no cookies: each test says which one is sent."""

    async def forget(_answer: httpx.Response) -> None:
        harness.client.cookies.clear()

    harness.client.event_hooks["response"].append(forget)
    return harness


def sent_from(address: str, cookie: str = "") -> dict[str, str]:
    return {"X-Forwarded-For": address} | ({"Cookie": f"fm_device={cookie}"} if cookie else {})


def networks() -> Iterator[str]:
    """Addresses of one network each, of both kinds."""
    for number in count():
        yield f"2001:db8:0:{number:x}::1" if number % 2 else f"198.18.{number // 256}.{number % 256}"


async def password(harness: Harness, address: str, right: str = "wrong", cookie: str = "") -> httpx.Response:
    return await try_to_sign_in(harness, EMAIL, right, sent_from(address, cookie))


async def wrong_password(harness: Harness, address: str) -> httpx.Response:
    return await password(harness, address)


async def wrong_reset(harness: Harness, address: str) -> httpx.Response:
    body = {"email": EMAIL, "code": "no code", "password": OTHER_PASSWORD}
    return await harness.client.post("/password/reset", json=body, headers=sent_from(address))


async def weak_reset(harness: Harness, address: str) -> httpx.Response:
    body = {"email": EMAIL, "code": "0", "password": "a"}
    return await harness.client.post("/password/reset", json=body, headers=sent_from(address))


async def wrong_confirmation(harness: Harness, address: str) -> httpx.Response:
    body = {"email": EMAIL, "code": "no code"}
    return await harness.client.post("/sign-up/confirm", json=body, headers=sent_from(address))


async def sign_up_again(harness: Harness, address: str) -> httpx.Response:
    body = {"email": EMAIL, "password": OTHER_PASSWORD, "name": "Eve"}
    return await harness.client.post("/sign-up", json=body, headers=sent_from(address))


async def forgot(harness: Harness, address: str) -> httpx.Response:
    return await harness.client.post("/password/forgot", json={"email": EMAIL}, headers=sent_from(address))


async def resend(harness: Harness, address: str) -> httpx.Response:
    return await harness.client.post("/sign-up/resend", json={"email": EMAIL}, headers=sent_from(address))


OTHER_CALLS: list[Call] = [wrong_reset, weak_reset, wrong_confirmation, sign_up_again, forgot, resend]


def cookie_of(answer: httpx.Response) -> str:
    """The device cookie that an answer sets."""
    found = [line for line in answer.headers.get_list("set-cookie") if line.startswith("fm_device=")]
    assert len(found) == 1, answer.headers
    return found[0].partition("=")[2].partition(";")[0]


async def known_device(harness: Harness) -> str:
    """The cookie of a device whose owner has signed in."""
    await sign_up(harness)
    return cookie_of(await password(harness, HOME, PASSWORD))


@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call.__name__)
async def test_no_other_call_frees_who_guesses_passwords(harness: Harness, other: Call) -> None:
    await sign_up(harness)
    answers = []
    for _ in range(84):
        answers.append(await password(harness, ATTACKER))
        await other(harness, ATTACKER)
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 79


@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call.__name__)
async def test_no_other_call_keeps_the_owner_from_signing_in(harness: Harness, other: Call) -> None:
    await sign_up(harness)
    for _ in range(40):
        await other(harness, ATTACKER)
    assert (await password(harness, ATTACKER, PASSWORD)).status_code == 201


async def test_a_stranger_s_wrong_passwords_keep_the_owner_neither_out_at_home_nor_elsewhere(harness: Harness) -> None:
    cookie = await known_device(harness)
    tried, hour_ends_at = 0, harness.world.clock() + timedelta(hours=1)
    while harness.world.clock() < hour_ends_at:  # as fast as it is let
        answer = await password(harness, ATTACKER)
        tried += answer.status_code == 401
        harness.world.clock.forward(int(answer.headers.get("retry-after", 0)))
    assert 5 < tried < 25
    await password(harness, ATTACKER)
    assert_problem(await password(harness, ATTACKER, PASSWORD), 429, "too_many_attempts")
    assert (await password(harness, ATTACKER, PASSWORD, cookie)).status_code == 201, (
        "the owner's device, from there too"
    )
    assert (await password(harness, "192.0.2.77", PASSWORD)).status_code == 201, "another device of the owner's"


async def test_strangers_from_everywhere_wait_after_fifty_in_an_hour_and_known_devices_do_not(harness: Harness) -> None:
    cookie, elsewhere = await known_device(harness), networks()
    answers = [await password(harness, next(elsewhere)) for _ in range(60)]
    assert [answer.status_code for answer in answers] == [401] * 50 + [429] * 10
    wait_s = int(answers[-1].headers["retry-after"])
    assert 0 < wait_s <= 3600
    assert_problem(await password(harness, HOME, PASSWORD), 429, "too_many_attempts")
    assert (await password(harness, HOME, PASSWORD, cookie)).status_code == 201
    harness.world.clock.forward(wait_s)
    assert (await password(harness, next(elsewhere))).status_code == 401


async def test_a_new_password_by_mail_lets_the_owner_in_while_strangers_wait(harness: Harness) -> None:
    await sign_up(harness)
    elsewhere = networks()
    for _ in range(60):
        await password(harness, next(elsewhere))
    await forgot(harness, HOME)
    body = {"email": EMAIL, "code": harness.mailbox.code_for(EMAIL), "password": OTHER_PASSWORD}
    answer = await harness.client.post("/password/reset", json=body, headers=sent_from(HOME))
    assert answer.status_code == 204, answer.text
    assert_problem(await password(harness, HOME, OTHER_PASSWORD), 429, "too_many_attempts")
    assert (await password(harness, HOME, OTHER_PASSWORD, cookie_of(answer))).status_code == 201


async def test_a_stolen_cookie_gives_five_tries_and_then_counts_as_a_stranger(harness: Harness) -> None:
    cookie = await known_device(harness)
    for _ in range(6):
        await password(harness, ATTACKER)
    for _ in range(harness.settings.identity.failed_attempts_before_delay):
        assert_problem(await password(harness, ATTACKER, cookie=cookie), 401, "wrong_credentials")
    assert_problem(await password(harness, ATTACKER, cookie=cookie), 429, "too_many_attempts")
    assert_problem(await password(harness, ATTACKER, PASSWORD, cookie), 429, "too_many_attempts")
    fresh = cookie_of(await password(harness, HOME, PASSWORD, cookie))
    assert fresh != cookie
    assert (await password(harness, ATTACKER, PASSWORD, fresh)).status_code == 201


async def test_cookies_of_before_a_change_of_password_are_no_longer_known(harness: Harness) -> None:
    stolen = await known_device(harness)
    harness.world.clock.forward(1)
    tokens = (await password(harness, HOME, PASSWORD)).json()
    changed = await harness.client.post(
        "/password/change",
        json={"old_password": PASSWORD, "new_password": OTHER_PASSWORD},
        headers={"Authorization": f"Bearer {tokens['access_token']}"} | sent_from(HOME),
    )
    assert changed.status_code == 204
    for _ in range(6):
        await password(harness, ATTACKER)
    assert_problem(await password(harness, ATTACKER, cookie=stolen), 429, "too_many_attempts")
    assert (await password(harness, ATTACKER, OTHER_PASSWORD, cookie_of(changed))).status_code == 201


async def test_cookies_end_with_the_password_of_an_account_that_nobody_has_used_yet(harness: Harness) -> None:
    harness.provider.create(EMAIL, "Ana", PASSWORD)
    entered = harness.identity.services.sign_in.authorize(EMAIL, PASSWORD, REDIRECT, None, Client("", ATTACKER))
    assert isinstance(entered, AuthorizationCode), "but the code is never exchanged"
    harness.world.clock.forward(1)
    await forgot(harness, HOME)
    body = {"email": EMAIL, "code": harness.mailbox.code_for(EMAIL), "password": OTHER_PASSWORD}
    assert (await harness.client.post("/password/reset", json=body, headers=sent_from(HOME))).status_code == 204
    for _ in range(5):
        await password(harness, ATTACKER)
    assert (await password(harness, ATTACKER, cookie=entered.device_cookie)).status_code == 429


async def test_the_cookie_is_for_this_account_alone(harness: Harness) -> None:
    cookie = await known_device(harness)
    await sign_up(harness, "eve@example.com")
    for _ in range(6):
        await try_to_sign_in(harness, "eve@example.com", "wrong", sent_from(ATTACKER))
    answer = await try_to_sign_in(harness, "eve@example.com", PASSWORD, sent_from(ATTACKER, cookie))
    assert_problem(answer, 429, "too_many_attempts")


async def test_the_cookie_is_out_of_reach_of_pages_and_other_sites_and_signs_nobody_in(harness: Harness) -> None:
    await sign_up(harness)
    answer = await password(harness, HOME, PASSWORD)
    (line,) = answer.headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/api"} <= attributes
    assert "secure" not in attributes, "the harness is reached by HTTP"
    harness.settings.api.public_url = "https://gym.test"
    assert "; Secure" in (await password(harness, HOME, PASSWORD)).headers["set-cookie"]
    assert EMAIL not in line
    me = await harness.client.get("/me", headers=sent_from(HOME, cookie_of(answer)))
    assert_problem(me, 401, "unauthenticated")
    assert "set-cookie" not in (await password(harness, HOME)).headers


async def test_the_sign_in_page_knows_devices_too(harness: Harness) -> None:
    await sign_up(harness)
    asked = {
        "client_id": harness.settings.identity.client_id,
        "redirect_uri": f"{harness.settings.api.public_url}/api/sessions/callback",
        "response_type": "code",
        "email": EMAIL,
    }

    async def sent(right: str, address: str, cookie: str = "") -> httpx.Response:
        form = asked | {"password": right}
        return await harness.client.post("/identity/oauth2/authorize", data=form, headers=sent_from(address, cookie))

    cookie = cookie_of(await sent(PASSWORD, HOME))
    for _ in range(6):
        await sent("wrong", ATTACKER)
    assert (await sent(PASSWORD, ATTACKER)).status_code == 429
    assert (await sent(PASSWORD, ATTACKER, cookie)).status_code == 303
    assert (await password(harness, HOME, PASSWORD, cookie)).status_code == 201


async def test_one_network_does_not_try_many_accounts(harness: Harness) -> None:
    answers = [
        await try_to_sign_in(harness, f"m{number}@example.com", "wrong", sent_from(HOME)) for number in range(32)
    ]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 2


async def test_mails_to_one_address_are_bounded_whoever_asks(harness: Harness) -> None:
    cookie, elsewhere = await known_device(harness), networks()
    answers = [await forgot(harness, next(elsewhere)) for _ in range(30)]
    assert [answer.status_code for answer in answers] == [202] * 19 + [429] * 11, "the sign-up has sent one too"
    body, headers = {"email": EMAIL}, sent_from(HOME, cookie)
    assert (await harness.client.post("/password/forgot", json=body, headers=headers)).status_code == 202
    assert (await password(harness, HOME, PASSWORD)).status_code == 201
