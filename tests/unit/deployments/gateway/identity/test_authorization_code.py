"""Signing in on the provider's own page: authorization code with PKCE, through the local provider's page."""

import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from deployments.http.confirmed_cache import Freshness
from domain.identity.pkce import challenge_of
from tests.unit.deployments.gateway.signed_in_members import SignedInMember, sign_up
from tests.unit.deployments.harness import OTHER_ORIGIN, Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD
from tests.world import World

pytestmark = pytest.mark.anyio

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def begin(harness: Harness) -> tuple[str, dict[str, str]]:
    """To the sign-in page: its address, and the cookie of the browser that goes there."""
    answer = await harness.client.get("/sessions/authorize")
    assert answer.status_code == 302
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/api/sessions/callback"} <= set(cookie.split("; "))
    harness.client.cookies.clear()
    return answer.headers["location"], {"Cookie": cookie.partition(";")[0]}


async def enter(harness: Harness, page: httpx.Response, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
    """The form of a page, filled in and sent."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
    fields = {unescape(name): unescape(value) for name, value in hidden.items()}
    content = urlencode(fields | {"email": email, "password": password})
    return await harness.client.post("/identity/oauth2/authorize", content=content, headers=FORM)


async def come_back(harness: Harness, location: str, cookie: dict[str, str]) -> httpx.Response:
    return await harness.client.get(location, headers=cookie)


async def test_a_browser_goes_to_the_page_and_comes_back_signed_in(harness: Harness) -> None:
    await sign_up(harness)
    location, cookie = await begin(harness)
    page = await harness.client.get(location)
    assert page.headers["content-type"].startswith("text/html")
    assert "form-action 'self' http://gym.test;" in page.headers["content-security-policy"]
    answer = await enter(harness, page)
    assert answer.status_code == 303
    back = answer.headers["location"]
    assert back.startswith("http://gym.test/api/sessions/callback?")
    signed_in = await come_back(harness, back, cookie)
    assert signed_in.status_code == 200
    member = SignedInMember(signed_in.json())
    assert (await harness.client.get("/me", headers=member.headers)).json()["email"] == EMAIL
    assert 'fm_authorize=""' in signed_in.headers["set-cookie"]
    assert_problem(await come_back(harness, back, cookie), 422, "wrong_code")


async def test_a_code_is_of_use_only_in_the_browser_that_began(harness: Harness) -> None:
    await sign_up(harness)
    location, _ = await begin(harness)
    back = (await enter(harness, await harness.client.get(location))).headers["location"]
    _, cookie_of_another = await begin(harness)
    for cookie in ({}, cookie_of_another):
        problem = assert_problem(await come_back(harness, back, cookie), 422, "invalid_request")
        assert problem["fields"][0]["field"] == "state"
    state = parse_qs(urlsplit(location).query)["state"][0]
    forged = {"Cookie": f"fm_authorize={state}.{'v' * 64}"}
    assert_problem(await come_back(harness, back, forged), 422, "wrong_code")


async def test_a_wrong_password_shows_the_page_again_and_after_some_holds_off(harness: Harness) -> None:
    await sign_up(harness)
    location, _ = await begin(harness)
    page = await harness.client.get(location)
    for _ in range(harness.settings.identity.failed_attempts_before_delay):
        page = await enter(harness, page, password="wrong")  # noqa: S106 - of nobody
        assert page.status_code == 401
        assert 'role="alert"' in page.text
        assert f'value="{EMAIL}"' in page.text
    page = await enter(harness, page)
    assert page.status_code == 429
    assert page.headers["retry-after"] == "1"


async def test_the_page_shows_what_was_entered_and_runs_nothing_of_it(harness: Harness) -> None:
    location, _ = await begin(harness)
    page = await enter(harness, await harness.client.get(location), email='"><script>alert(1)</script>', password="x")  # noqa: S106 - of nobody
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "http://evil.test/api/sessions/callback"},
        {"redirect_uri": "http://gym.test@evil.test/"},
        {"redirect_uri": "http://gym.test.evil.test/"},
        {"redirect_uri": "http://gym.test/#x"},
        {"redirect_uri": "http://[gym.test/"},
        {"redirect_uri": ""},
        {"redirect_uri": "http://gym.test/api/sessions/callback?x=1"},
        {"redirect_uri": "http://gym.test/api/sessions/callback/"},
        {"redirect_uri": "http://gym.test/api/sessions/callback/../../docs"},
        {"redirect_uri": "http://gym.test/api/docs"},
        {"redirect_uri": "HTTP://gym.test/api/sessions/callback"},
        {"redirect_uri": "http://gym.test:80/api/sessions/callback"},
        {"redirect_uri": " http://gym.test/api/sessions/callback"},
        {"redirect_uri": "http://gym.test/api/sessions/callback\t"},
        {"redirect_uri": "http://gym.test/api/sessions/callback#"},
        {"redirect_uri": "http://mia@gym.test/api/sessions/callback"},
        {"redirect_uri": "http:\\\\gym.test\\api\\sessions\\callback"},
        {"redirect_uri": OTHER_ORIGIN},
        {"redirect_uri": f"{OTHER_ORIGIN}/"},
        {"redirect_uri": f"{OTHER_ORIGIN}/callback?next=/"},
        {"client_id": "another"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
    ],
)
async def test_a_browser_is_sent_back_only_to_applications_that_are_known(
    harness: Harness, change: dict[str, str]
) -> None:
    await sign_up(harness)
    location, _ = await begin(harness)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()} | change
    page = await harness.client.get(f"/identity/oauth2/authorize?{urlencode(asked)}")
    content = urlencode(asked | {"email": EMAIL, "password": PASSWORD})
    sent = await harness.client.post("/identity/oauth2/authorize", content=content, headers=FORM)
    for answer in (page, sent):
        assert answer.status_code == 400
        assert "<form" not in answer.text
        assert "location" not in answer.headers


async def test_another_application_takes_its_tokens_at_the_token_endpoint_and_refreshes_them(world: World) -> None:
    harness = Harness(world, freshness=Freshness(trust_for=0, deny_for=0))
    await sign_up(harness)
    harness.settings.identity.redirect_uris = [f"{OTHER_ORIGIN}/signed-in?x=1"]
    client_id, verifier, redirect = harness.settings.identity.client_id, "v" * 43, f"{OTHER_ORIGIN}/signed-in?x=1"
    asked = {
        "client_id": client_id,
        "redirect_uri": redirect,
        "response_type": "code",
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    page = await harness.client.get(f"/identity/oauth2/authorize?{urlencode(asked)}")
    back = (await enter(harness, page)).headers["location"]
    assert back.startswith(f"{redirect}&code=")
    code = parse_qs(urlsplit(back).query)["code"][0]
    shown = {"grant_type": "authorization_code", "client_id": client_id, "code": code, "redirect_uri": redirect}

    async def token(**form: str) -> httpx.Response:
        return await harness.client.post("/identity/oauth2/token", content=urlencode(form), headers=FORM)

    assert (await token(**shown | {"client_id": "another"})).json() == {"error": "invalid_client"}
    assert (await token(**shown | {"grant_type": "password"})).json() == {"error": "unsupported_grant_type"}
    assert (await token(**shown, code_verifier="w" * 43)).json()["error"] == "invalid_grant"
    tokens = (await token(**shown, code_verifier=verifier)).json()
    assert set(tokens) == {"access_token", "id_token", "refresh_token", "token_type", "expires_in"}
    me = await harness.client.get("/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["email"] == EMAIL
    fresh = await token(grant_type="refresh_token", client_id=client_id, refresh_token=tokens["refresh_token"])
    assert fresh.status_code == 200
    used = await token(**shown, code_verifier=verifier)
    assert (used.status_code, used.json()["error"]) == (400, "invalid_grant")
    over = await token(grant_type="refresh_token", client_id=client_id, refresh_token=fresh.json()["refresh_token"])
    assert (over.status_code, over.json()["error"]) == (400, "invalid_grant")
    for each in (tokens, fresh.json()):
        headers = {"Authorization": f"Bearer {each['access_token']}"}
        assert_problem(await harness.client.get("/me", headers=headers), 401, "unauthenticated")


async def test_a_code_that_is_exchanged_again_before_its_tokens_were_used_ends_them_too(harness: Harness) -> None:
    await sign_up(harness)
    redirect = f"{OTHER_ORIGIN}/callback"
    code = harness.provider.authorize(EMAIL, PASSWORD, redirect, None)
    form = {
        "grant_type": "authorization_code",
        "client_id": harness.settings.identity.client_id,
        "code": str(code),
        "redirect_uri": redirect,
    }
    answers = [
        await harness.client.post("/identity/oauth2/token", content=urlencode(form), headers=FORM) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 400]
    headers = {"Authorization": f"Bearer {answers[0].json()['access_token']}"}
    assert_problem(await harness.client.get("/me", headers=headers), 401, "unauthenticated")


async def test_without_a_list_the_callback_of_an_allowed_origin_is_known_and_any_origin_is_nobody_s_page(
    harness: Harness,
) -> None:
    harness.settings.api.allowed_origins = ["*", "https://App.gym.test:443/", f"{OTHER_ORIGIN}/page"]
    asked = {"client_id": harness.settings.identity.client_id, "response_type": "code"}

    async def shown(redirect_uri: str) -> int:
        return (
            await harness.client.get("/identity/oauth2/authorize", params=asked | {"redirect_uri": redirect_uri})
        ).status_code

    assert await shown("https://app.gym.test/callback") == 200
    for other in (
        f"{OTHER_ORIGIN}/callback",
        f"{OTHER_ORIGIN}/page/callback",
        "*/callback",
        "http://evil.test/callback",
    ):
        assert await shown(other) == 400
    harness.settings.identity.redirect_uris = []
    assert await shown("https://app.gym.test/callback") == 400
    assert await shown("http://gym.test/api/sessions/callback") == 200


async def test_a_page_that_is_no_longer_registered_gets_no_tokens(harness: Harness) -> None:
    await sign_up(harness)
    redirect = f"{OTHER_ORIGIN}/callback"
    code = harness.provider.authorize(EMAIL, PASSWORD, redirect, None)
    assert isinstance(code, str)
    harness.settings.identity.redirect_uris = []
    form = {"grant_type": "authorization_code", "client_id": harness.settings.identity.client_id, "code": code}
    content = urlencode(form | {"redirect_uri": redirect})
    answer = await harness.client.post("/identity/oauth2/token", content=content, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_the_keys_are_served_as_they_verify(harness: Harness) -> None:
    answer = await harness.client.get("/identity/.well-known/jwks.json")
    (key,) = answer.json()["keys"]
    assert {"kid", "kty", "use", "alg", "n", "e"} == set(key)


async def test_the_provider_s_endpoints_take_forms_and_the_interface_takes_none(harness: Harness) -> None:
    answer = await harness.client.post("/identity/oauth2/token", json={"grant_type": "refresh_token"})
    assert_problem(answer, 415, "unsupported_media_type")
    answer = await harness.client.post("/sessions", content="email=a@b.example&password=x", headers=FORM)
    assert_problem(answer, 415, "unsupported_media_type")
