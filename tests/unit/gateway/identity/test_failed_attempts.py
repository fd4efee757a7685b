"""Who guesses passwords and codes is delayed, whatever else they call; the owner gets in meanwhile."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from deployments.identity.signed_in import AuthorizationCode
from domain.identity.model import Client
from tests.unit.gateway.rig import Rig, assert_problem
from tests.unit.gateway.signing_in import sign_up, try_to_sign_in
from tests.unit.identity.local_rig import EMAIL, OTHER_PASSWORD, PASSWORD, REDIRECT

pytestmark = pytest.mark.anyio

HOME, ATTACKER = "192.0.2.1", "203.0.113.5"
Call = Callable[[Rig, str], Coroutine[Any, Any, httpx.Response]]


@pytest.fixture
def rig(rig: Rig) -> Rig:
    """With a client that keeps no cookies: each test says which one is sent."""

    async def forget(_answer: httpx.Response) -> None:
        rig.client.cookies.clear()

    rig.client.event_hooks["response"].append(forget)
    return rig


def sent_from(address: str, cookie: str = "") -> dict[str, str]:
    return {"X-Forwarded-For": address} | ({"Cookie": f"fm_device={cookie}"} if cookie else {})


def networks() -> Iterator[str]:
    """Addresses of one network each, of both kinds."""
    for number in count():
        yield f"2001:db8:0:{number:x}::1" if number % 2 else f"198.18.{number // 256}.{number % 256}"


async def password(rig: Rig, address: str, right: str = "wrong", cookie: str = "") -> httpx.Response:
    return await try_to_sign_in(rig, EMAIL, right, sent_from(address, cookie))


async def wrong_password(rig: Rig, address: str) -> httpx.Response:
    return await password(rig, address)


async def wrong_reset(rig: Rig, address: str) -> httpx.Response:
    body = {"email": EMAIL, "code": "no code", "password": OTHER_PASSWORD}
    return await rig.client.post("/password/reset", json=body, headers=sent_from(address))


async def weak_reset(rig: Rig, address: str) -> httpx.Response:
    body = {"email": EMAIL, "code": "0", "password": "a"}
    return await rig.client.post("/password/reset", json=body, headers=sent_from(address))


async def wrong_confirmation(rig: Rig, address: str) -> httpx.Response:
    body = {"email": EMAIL, "code": "no code"}
    return await rig.client.post("/sign-up/confirm", json=body, headers=sent_from(address))


async def sign_up_again(rig: Rig, address: str) -> httpx.Response:
    body = {"email": EMAIL, "password": OTHER_PASSWORD, "name": "Eve"}
    return await rig.client.post("/sign-up", json=body, headers=sent_from(address))


async def forgot(rig: Rig, address: str) -> httpx.Response:
    return await rig.client.post("/password/forgot", json={"email": EMAIL}, headers=sent_from(address))


async def resend(rig: Rig, address: str) -> httpx.Response:
    return await rig.client.post("/sign-up/resend", json={"email": EMAIL}, headers=sent_from(address))


OTHER_CALLS: list[Call] = [wrong_reset, weak_reset, wrong_confirmation, sign_up_again, forgot, resend]


def cookie_of(answer: httpx.Response) -> str:
    """The device cookie that an answer sets."""
    found = [line for line in answer.headers.get_list("set-cookie") if line.startswith("fm_device=")]
    assert len(found) == 1, answer.headers
    return found[0].partition("=")[2].partition(";")[0]


async def known_device(rig: Rig) -> str:
    """The cookie of a device whose owner has signed in."""
    await sign_up(rig)
    return cookie_of(await password(rig, HOME, PASSWORD))


@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call.__name__)
async def test_no_other_call_frees_who_guesses_passwords(rig: Rig, other: Call) -> None:
    await sign_up(rig)
    answers = []
    for _ in range(84):
        answers.append(await password(rig, ATTACKER))
        await other(rig, ATTACKER)
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 79


@pytest.mark.parametrize("other", OTHER_CALLS, ids=lambda call: call.__name__)
async def test_no_other_call_keeps_the_owner_from_signing_in(rig: Rig, other: Call) -> None:
    await sign_up(rig)
    for _ in range(40):
        await other(rig, ATTACKER)
    assert (await password(rig, ATTACKER, PASSWORD)).status_code == 201


async def test_a_stranger_s_wrong_passwords_keep_the_owner_neither_out_at_home_nor_elsewhere(rig: Rig) -> None:
    cookie = await known_device(rig)
    tried, hour_ends_at = 0, rig.world.clock() + timedelta(hours=1)
    while rig.world.clock() < hour_ends_at:  # as fast as it is let
        answer = await password(rig, ATTACKER)
        tried += answer.status_code == 401
        rig.world.clock.forward(int(answer.headers.get("retry-after", 0)))
    assert 5 < tried < 25
    await password(rig, ATTACKER)
    assert_problem(await password(rig, ATTACKER, PASSWORD), 429, "too_many_attempts")
    assert (await password(rig, ATTACKER, PASSWORD, cookie)).status_code == 201, "the owner's device, from there too"
    assert (await password(rig, "192.0.2.77", PASSWORD)).status_code == 201, "another device of the owner's"


async def test_strangers_from_everywhere_wait_after_fifty_in_an_hour_and_known_devices_do_not(rig: Rig) -> None:
    cookie, elsewhere = await known_device(rig), networks()
    answers = [await password(rig, next(elsewhere)) for _ in range(60)]
    assert [answer.status_code for answer in answers] == [401] * 50 + [429] * 10
    wait_s = int(answers[-1].headers["retry-after"])
    assert 0 < wait_s <= 3600
    assert_problem(await password(rig, HOME, PASSWORD), 429, "too_many_attempts")
    assert (await password(rig, HOME, PASSWORD, cookie)).status_code == 201
    rig.world.clock.forward(wait_s)
    assert (await password(rig, next(elsewhere))).status_code == 401


async def test_a_new_password_by_mail_lets_the_owner_in_while_strangers_wait(rig: Rig) -> None:
    await sign_up(rig)
    elsewhere = networks()
    for _ in range(60):
        await password(rig, next(elsewhere))
    await forgot(rig, HOME)
    body = {"email": EMAIL, "code": rig.mailbox.code_for(EMAIL), "password": OTHER_PASSWORD}
    answer = await rig.client.post("/password/reset", json=body, headers=sent_from(HOME))
    assert answer.status_code == 204, answer.text
    assert_problem(await password(rig, HOME, OTHER_PASSWORD), 429, "too_many_attempts")
    assert (await password(rig, HOME, OTHER_PASSWORD, cookie_of(answer))).status_code == 201


async def test_a_stolen_cookie_gives_five_tries_and_then_counts_as_a_stranger(rig: Rig) -> None:
    cookie = await known_device(rig)
    for _ in range(6):
        await password(rig, ATTACKER)
    for _ in range(rig.settings.identity.failed_attempts_before_delay):
        assert_problem(await password(rig, ATTACKER, cookie=cookie), 401, "wrong_credentials")
    assert_problem(await password(rig, ATTACKER, cookie=cookie), 429, "too_many_attempts")
    assert_problem(await password(rig, ATTACKER, PASSWORD, cookie), 429, "too_many_attempts")
    fresh = cookie_of(await password(rig, HOME, PASSWORD, cookie))
    assert fresh != cookie
    assert (await password(rig, ATTACKER, PASSWORD, fresh)).status_code == 201


async def test_cookies_of_before_a_change_of_password_are_no_longer_known(rig: Rig) -> None:
    stolen = await known_device(rig)
    rig.world.clock.forward(1)
    tokens = (await password(rig, HOME, PASSWORD)).json()
    changed = await rig.client.post(
        "/password/change",
        json={"old_password": PASSWORD, "new_password": OTHER_PASSWORD},
        headers={"Authorization": f"Bearer {tokens['access_token']}"} | sent_from(HOME),
    )
    assert changed.status_code == 204
    for _ in range(6):
        await password(rig, ATTACKER)
    assert_problem(await password(rig, ATTACKER, cookie=stolen), 429, "too_many_attempts")
    assert (await password(rig, ATTACKER, OTHER_PASSWORD, cookie_of(changed))).status_code == 201


async def test_cookies_end_with_the_password_of_an_account_that_nobody_has_used_yet(rig: Rig) -> None:
    rig.provider.create(EMAIL, "Ana", PASSWORD)
    entered = rig.identity.services.sign_in.authorize(EMAIL, PASSWORD, REDIRECT, None, Client("", ATTACKER))
    assert isinstance(entered, AuthorizationCode), "but the code is never exchanged"
    rig.world.clock.forward(1)
    await forgot(rig, HOME)
    body = {"email": EMAIL, "code": rig.mailbox.code_for(EMAIL), "password": OTHER_PASSWORD}
    assert (await rig.client.post("/password/reset", json=body, headers=sent_from(HOME))).status_code == 204
    for _ in range(5):
        await password(rig, ATTACKER)
    assert (await password(rig, ATTACKER, cookie=entered.device_cookie)).status_code == 429


async def test_the_cookie_is_for_this_account_alone(rig: Rig) -> None:
    cookie = await known_device(rig)
    await sign_up(rig, "eve@example.com")
    for _ in range(6):
        await try_to_sign_in(rig, "eve@example.com", "wrong", sent_from(ATTACKER))
    answer = await try_to_sign_in(rig, "eve@example.com", PASSWORD, sent_from(ATTACKER, cookie))
    assert_problem(answer, 429, "too_many_attempts")


async def test_the_cookie_is_out_of_reach_of_pages_and_other_sites_and_signs_nobody_in(rig: Rig) -> None:
    await sign_up(rig)
    answer = await password(rig, HOME, PASSWORD)
    (line,) = answer.headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/api"} <= attributes
    assert "secure" not in attributes, "the rig is reached by HTTP"
    rig.settings.api.public_url = "https://gym.test"
    assert "; Secure" in (await password(rig, HOME, PASSWORD)).headers["set-cookie"]
    assert EMAIL not in line
    me = await rig.client.get("/me", headers=sent_from(HOME, cookie_of(answer)))
    assert_problem(me, 401, "unauthenticated")
    assert "set-cookie" not in (await password(rig, HOME)).headers


async def test_the_sign_in_page_knows_devices_too(rig: Rig) -> None:
    await sign_up(rig)
    asked = {
        "client_id": rig.settings.identity.client_id,
        "redirect_uri": f"{rig.settings.api.public_url}/api/sessions/callback",
        "response_type": "code",
        "email": EMAIL,
    }

    async def sent(right: str, address: str, cookie: str = "") -> httpx.Response:
        form = asked | {"password": right}
        return await rig.client.post("/identity/oauth2/authorize", data=form, headers=sent_from(address, cookie))

    cookie = cookie_of(await sent(PASSWORD, HOME))
    for _ in range(6):
        await sent("wrong", ATTACKER)
    assert (await sent(PASSWORD, ATTACKER)).status_code == 429
    assert (await sent(PASSWORD, ATTACKER, cookie)).status_code == 303
    assert (await password(rig, HOME, PASSWORD, cookie)).status_code == 201


async def test_one_network_does_not_try_many_accounts(rig: Rig) -> None:
    answers = [await try_to_sign_in(rig, f"m{number}@example.com", "wrong", sent_from(HOME)) for number in range(32)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 2


async def test_mails_to_one_address_are_bounded_whoever_asks(rig: Rig) -> None:
    cookie, elsewhere = await known_device(rig), networks()
    answers = [await forgot(rig, next(elsewhere)) for _ in range(30)]
    assert [answer.status_code for answer in answers] == [202] * 19 + [429] * 11, "the sign-up has sent one too"
    body, headers = {"email": EMAIL}, sent_from(HOME, cookie)
    assert (await rig.client.post("/password/forgot", json=body, headers=headers)).status_code == 202
    assert (await password(rig, HOME, PASSWORD)).status_code == 201
