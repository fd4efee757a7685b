"""The local provider's pages: a browser without script signs up, confirms, forgets its password, and comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from deployments.http.problems import retryable
from domain.ids import new_id
from tests.unit.deployments.gateway.signed_in_members import SignedInMember, sign_up, try_to_sign_in
from tests.unit.deployments.harness import OTHER_ORIGIN, PUBLIC_URL, Harness
from tests.unit.integrations.local_identity.harness import EMAIL, OTHER_PASSWORD, PASSWORD
from tests.web_pages import Form, Page, assert_keeps_policy, assert_usable, target_of

pytestmark = pytest.mark.anyio

REDIRECT = f"{OTHER_ORIGIN}/callback"
ASKED = {
    "client_id": "fitmonitor-local",
    "response_type": "code",
    "scope": "email openid profile",
    "redirect_uri": REDIRECT,
    "state": 'x"><b>&',
}
WRONG_CODE = "000000"
NOBODY = "nobody@example.com"


@dataclass
class Browser:
    """Goes by links and forms alone, and sends what browsers send."""

    harness: Harness
    answer: httpx.Response

    @classmethod
    async def at(cls, harness: Harness, path: str = "login", **changed: str) -> "Browser":
        return cls(harness, await harness.client.get(f"/identity/{path}?{urlencode(ASKED | changed)}"))

    @property
    def page(self) -> Page:
        assert_keeps_policy(self.answer.text, self.answer.headers["content-security-policy"])
        assert_usable(self.answer.text)
        assert self.answer.headers["referrer-policy"] == "same-origin"
        assert self.answer.headers["cache-control"] == "no-store"
        return Page(self.answer.text)

    @property
    def form(self) -> Form:
        (form,) = self.page.forms
        return form

    async def follow(self, text: str) -> None:
        self.answer = await self.harness.client.get(target_of(str(self.answer.url), self.page.links[text]))

    async def send(self, button: str | None = None, **entered: str) -> httpx.Response:
        form = self.form
        assert set(entered) <= set(form.inputs)
        target = form.buttons[button].get("formaction", form.action) if button else form.action
        headers = {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "same-origin"}
        self.answer = await post(self.harness, target_of(str(self.answer.url), target), form.values | entered, headers)
        return self.answer


async def post(
    harness: Harness, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> httpx.Response:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return await harness.client.post(url, content=urlencode(fields), headers={**form, **(headers or {})})


async def exchanged(harness: Harness, answer: httpx.Response) -> dict[str, object]:
    """The tokens for the code with which a page has led back."""
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith(f"{REDIRECT}?code=")
    given = parse_qs(urlsplit(location).query)
    assert given["state"] == [ASKED["state"]]
    wanted = {
        "grant_type": "authorization_code",
        "client_id": ASKED["client_id"],
        "code": given["code"][0],
        "redirect_uri": REDIRECT,
    }
    tokens = await post(harness, "/identity/oauth2/token", wanted)
    assert tokens.status_code == 200
    found: dict[str, object] = tokens.json()
    return found


@pytest.mark.parametrize("begin", ["login", "oauth2/authorize"])
async def test_somebody_new_signs_up_and_comes_back_with_a_code(harness: Harness, begin: str) -> None:
    browser = await Browser.at(harness, begin)
    await browser.follow("Create an account")
    await browser.send(name="Ana Lima", email=f" {EMAIL.upper()} ", password=PASSWORD)
    assert browser.page.title.startswith("Confirm your address")
    code = harness.mailbox.code_for(EMAIL)
    await browser.send(code=f"{code[:3]} {code[3:]}")
    assert "Your account is ready" in browser.page.texts["status"]
    assert browser.form.values["email"] == EMAIL
    tokens = await exchanged(harness, await browser.send(password=PASSWORD))
    assert {"access_token", "id_token", "refresh_token"} <= tokens.keys()


async def test_a_password_that_was_forgotten_is_set_anew(harness: Harness) -> None:
    await sign_up(harness)
    browser = await Browser.at(harness, "oauth2/authorize")
    await browser.follow("Forgot your password?")
    await browser.send(email=EMAIL)
    form = browser.form
    assert form.inputs["email"]["autocomplete"] == "username"
    assert form.inputs["code"]["autocomplete"] == "one-time-code"
    assert form.inputs["password"]["autocomplete"] == "new-password"
    await browser.send(code=harness.mailbox.code_for(EMAIL), password=OTHER_PASSWORD)
    assert "Your password is changed" in browser.page.texts["status"]
    await exchanged(harness, await browser.send(password=OTHER_PASSWORD))
    assert (await try_to_sign_in(harness)).status_code == 401


async def test_a_code_can_be_sent_again(harness: Harness) -> None:
    browser = await Browser.at(harness, "signup")
    await browser.send(name="Ana", email=EMAIL, password=PASSWORD)
    await browser.send("Send a new code")
    assert len(harness.mailbox.to(EMAIL)) == 2
    assert browser.page.texts["status"] == "We have sent a new code."
    await browser.send(code=harness.mailbox.code_for(EMAIL))
    assert "Your account is ready" in browser.page.texts["status"]


async def test_pages_say_the_same_whether_or_not_an_address_has_an_account(harness: Harness) -> None:
    await sign_up(harness)

    async def said(email: str) -> list[tuple[int, str]]:
        found = []
        browser = await Browser.at(harness, "signup")
        await browser.send(name="Ana", email=email, password=PASSWORD)
        found.append(browser)
        await browser.send("Send a new code")
        await browser.send(code=WRONG_CODE)
        shown = [(browser.answer.status_code, browser.page.texts["code-error"])]
        browser = await Browser.at(harness, "forgotPassword")
        await browser.send(email=email)
        shown.append((browser.answer.status_code, browser.page.title))
        await browser.send(code=WRONG_CODE, password=OTHER_PASSWORD)
        shown.append((browser.answer.status_code, browser.page.texts["code-error"]))
        browser = await Browser.at(harness)
        await browser.send(email=email, password=OTHER_PASSWORD)
        shown.append((browser.answer.status_code, browser.page.texts["alert"]))
        return shown

    known, unknown = await said(EMAIL), await said(NOBODY)
    assert known == unknown


async def test_an_account_is_made_by_the_code_of_its_own_sign_up_alone(harness: Harness) -> None:
    attacker = await Browser.at(harness, "signup")
    await attacker.send(name="Eve", email=EMAIL, password=OTHER_PASSWORD)
    owner = await Browser.at(harness, "signup")
    await owner.send(name="Ana", email=EMAIL, password=PASSWORD)
    code = harness.mailbox.code_for(EMAIL)
    await attacker.send(code=code)
    assert attacker.answer.status_code == 422
    await owner.send(code=code)
    await exchanged(harness, await owner.send(password=PASSWORD))


@pytest.mark.parametrize(
    ("path", "entered", "field"),
    [
        ("signup", {"name": "Ana", "email": "not an address", "password": PASSWORD}, "email"),
        ("signup", {"name": " ", "email": EMAIL, "password": PASSWORD}, "name"),
        ("signup", {"name": "Ana", "email": EMAIL, "password": "short"}, "password"),
        ("signup", {"name": "Ana", "email": EMAIL, "password": "x" * 300}, "password"),
        ("forgotPassword", {"email": "ana"}, "email"),
        ("login", {"email": "ana", "password": PASSWORD}, "email"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_what_was_entered_stays(
    harness: Harness, path: str, entered: dict[str, str], field: str
) -> None:
    browser = await Browser.at(harness, path)
    await browser.send(**entered)
    assert browser.answer.status_code == 422
    page, form = browser.page, browser.form
    assert page.title.startswith("Error: ")
    assert page.texts[f"{field}-error"]
    assert "autofocus" in form.inputs[field]
    assert harness.mailbox.mails == []
    for name in entered.keys() - {"password"}:
        assert form.values[name] == entered[name].strip()


async def test_nothing_that_was_entered_or_asked_is_run(harness: Harness) -> None:
    hostile = '"><script>alert(1)</script>'
    browser = await Browser.at(harness, "signup", state=hostile, scope=hostile)
    for _ in range(2):
        assert "<script" not in browser.answer.text
        await browser.send(name=hostile, email=hostile, password=PASSWORD)
    await browser.send(name=hostile, email=EMAIL, password=PASSWORD)
    assert "<script" not in browser.answer.text
    assert browser.form.values["state"] == hostile


ALL_FORMS = (
    *("login", "oauth2/authorize", "signup", "confirm", "resend"),
    *("forgotPassword", "confirmForgotPassword"),
)


def sound(path: str) -> dict[str, str]:
    """A form's fields that would do."""
    ids = {"sign_up_id": str(new_id()), "reset_id": str(new_id())}
    return {**ASKED, **ids, "email": EMAIL, "name": "Ana", "password": PASSWORD, "code": WRONG_CODE, "path": path}


@pytest.mark.parametrize("path", ALL_FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": OTHER_ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": PUBLIC_URL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://rebound.test", "Host": "rebound.test"},
    ],
)
async def test_a_form_of_another_site_does_nothing(harness: Harness, path: str, headers: dict[str, str]) -> None:
    await sign_up(harness)
    mails = len(harness.mailbox.mails)
    answer = await post(harness, f"/identity/{path}", sound(path), headers)
    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "<form" not in answer.text
    assert len(harness.mailbox.mails) == mails


@pytest.mark.parametrize("path", ALL_FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": PUBLIC_URL},
        {"Origin": "http://localhost:8000", "Host": "localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {},
    ],
)
async def test_a_form_of_our_own_page_is_taken(harness: Harness, path: str, headers: dict[str, str]) -> None:
    await sign_up(harness)
    assert (await post(harness, f"/identity/{path}", sound(path), headers)).status_code in {200, 303, 422}


@pytest.mark.parametrize("path", ALL_FORMS)
@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://evil.test/callback"},
        {"redirect_uri": f"{REDIRECT}/../x"},
        {"redirect_uri": ""},
        {"client_id": "another"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
    ],
)
async def test_what_a_form_hands_on_is_checked_by_everyone_who_gets_it(
    harness: Harness, path: str, changed: dict[str, str]
) -> None:
    await sign_up(harness)
    mails = len(harness.mailbox.mails)
    answer = await post(harness, f"/identity/{path}", sound(path) | changed)
    assert answer.status_code == 400
    assert "<form" not in answer.text
    assert len(harness.mailbox.mails) == mails
    assert_keeps_policy(answer.text, answer.headers["content-security-policy"])


@pytest.mark.parametrize("path", ["login", "signup", "forgotPassword", "oauth2/authorize"])
async def test_a_page_is_shown_to_applications_that_are_known(harness: Harness, path: str) -> None:
    for changed in ({"client_id": "another"}, {"redirect_uri": "http://evil.test/"}, {"response_type": "token"}):
        browser = await Browser.at(harness, path, **changed)
        assert browser.answer.status_code == 400
        assert "<form" not in browser.answer.text


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("confirm", "sign_up_id", ""),
        ("confirm", "sign_up_id", "1"),
        ("confirm", "email", "nobody"),
        ("resend", "sign_up_id", ""),
        ("resend", "email", ""),
        ("confirmForgotPassword", "reset_id", ""),
        ("confirmForgotPassword", "reset_id", "x"),
        ("confirmForgotPassword", "email", "x"),
    ],
)
async def test_a_form_without_what_it_hands_on_is_no_way_around_it(
    harness: Harness, path: str, name: str, value: str
) -> None:
    answer = await post(harness, f"/identity/{path}", sound(path) | {name: value})
    assert answer.status_code == 400
    assert "<form" not in answer.text


async def test_another_address_in_a_hidden_field_is_not_confirmed_by_one_s_own_code(harness: Harness) -> None:
    browser = await Browser.at(harness, "signup")
    await browser.send(name="Eve", email=NOBODY, password=OTHER_PASSWORD)
    await browser.send(email=EMAIL, code=harness.mailbox.code_for(NOBODY))
    assert browser.answer.status_code == 422
    assert harness.provider.account_of(EMAIL) is None


async def test_another_address_in_a_form_does_not_get_a_password_by_one_s_own_code(harness: Harness) -> None:
    await sign_up(harness)
    await sign_up(harness, NOBODY)
    browser = await Browser.at(harness, "forgotPassword")
    await browser.send(email=NOBODY)
    await browser.send(email=EMAIL, code=harness.mailbox.code_for(NOBODY), password=OTHER_PASSWORD)
    assert browser.answer.status_code == 422
    assert (await try_to_sign_in(harness)).status_code == 201


async def test_pages_and_calls_count_wrong_tries_together(harness: Harness) -> None:
    await sign_up(harness)
    browser = await Browser.at(harness)
    for _ in range(harness.settings.identity.failed_attempts_before_delay):
        await browser.send(email=EMAIL, password=OTHER_PASSWORD)
        assert browser.answer.status_code == 401
    await browser.send(email=EMAIL, password=PASSWORD)
    assert browser.answer.status_code == 429
    assert int(browser.answer.headers["retry-after"]) > 0
    assert (await try_to_sign_in(harness)).status_code == 429


async def test_a_fault_is_a_page_too(harness: Harness) -> None:
    harness.identity.fails = retryable("unavailable", "Mail cannot be sent now.")
    browser = await Browser.at(harness, "signup")
    await browser.send(name="Ana", email=EMAIL, password=PASSWORD)
    assert browser.answer.status_code == 503
    assert browser.answer.headers["content-type"].startswith("text/html")
    assert int(browser.answer.headers["retry-after"]) > 0
    assert browser.page.texts["alert"] == "Mail cannot be sent now."


async def test_a_member_of_the_pages_is_one_of_the_interface(harness: Harness) -> None:
    browser = await Browser.at(harness, "signup")
    await browser.send(name="Ana Lima", email=EMAIL, password=PASSWORD)
    await browser.send(code=harness.mailbox.code_for(EMAIL))
    member = SignedInMember((await try_to_sign_in(harness)).json())
    assert (await harness.client.get("/me", headers=member.headers)).json()["name"] == "Ana Lima"
