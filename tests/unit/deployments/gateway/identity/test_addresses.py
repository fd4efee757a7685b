"""Whatever form an address is typed in, it is one account; what cannot be one is refused and never logged."""

import json
from unicodedata import normalize

import pytest

from tests.unit.deployments.gateway.signed_in_members import new_admin, sign_in, sign_up, try_to_sign_in
from tests.unit.deployments.harness import Harness, assert_problem
from tests.unit.integrations.local_identity.harness import PASSWORD

pytestmark = pytest.mark.anyio

KEPT = "mia@xn--bcher-kva.example"
FORMS = ("mia@b\u00fccher.example", " MIA@BU\u0308CHER.example\u3000", "Mia@XN--BCHER-KVA.example", KEPT)


async def test_every_form_of_an_address_is_the_same_account_and_mail_goes_to_the_one_that_is_kept(
    harness: Harness,
) -> None:
    answer = await harness.client.post("/sign-up", json={"email": FORMS[1], "password": PASSWORD, "name": "Mia"})
    assert (answer.status_code, answer.json()["email"]) == (202, KEPT)
    code = harness.mailbox.code_for(KEPT)
    confirmed = await harness.client.post("/sign-up/confirm", json={"email": FORMS[0], "code": code})
    assert confirmed.status_code == 204
    signed_in = [await sign_in(harness, form) for form in FORMS]
    assert len({member.id for member in signed_in}) == 1
    assert {member.tokens["user"]["email"] for member in signed_in} == {KEPT}
    for form in FORMS:
        await harness.client.post("/password/forgot", json={"email": form})
    assert {mail.to for mail in harness.mailbox.mails} == {KEPT}


async def test_addresses_that_only_look_alike_are_accounts_of_their_own(harness: Harness) -> None:
    admin = await new_admin(harness)
    alike = ("muller@example.org", "m\u00fcller@example.org", "strasse@example.org", "stra\u00dfe@example.org")
    for email in alike:
        await sign_up(harness, email)
    members = [await sign_in(harness, email) for email in alike]
    assert len({member.id for member in members}) == len(alike)
    # Mail and receipts here take ASCII before the @ only.
    listed = (await harness.client.get("/users", headers=admin.headers)).json()["items"]
    emails = {user["id"]: user["email"] for user in listed}
    assert [emails[str(member.id)] for member in members] == [alike[0], None, alike[2], None]
    for member, email in zip(members, alike, strict=True):
        assert (
            await sign_in(harness, normalize("NFD", email.upper() if "\u00df" not in email else email))
        ).id == member.id


@pytest.mark.parametrize(
    "path", ["/sign-up", "/sign-up/confirm", "/sign-up/resend", "/sessions", "/password/forgot", "/password/reset"]
)
@pytest.mark.parametrize(
    "email",
    [
        *("mi\u200ba@example.org", "mia\u200d@example.org", "mi\u00ada@example.org", "mia@exam\ufeffple.org"),
        *(
            "mi\u202ea@example.org",
            "mi\u3164a@example.org",
            "m ia@example.org",
            "mia@example.org\x00",
            "\ud800@example.org",
        ),
        *("\u0130" * 33 + "@example.org", "\u0130" * 200 + "@example.org", "mia@" + "\u0130" * 80 + ".example"),
        *("m" * 65 + "@example.org", "mia@" + "\u00fc" * 60 + ".example", "mia@example.org\n.eve@example.org", ""),
    ],
)
async def test_what_is_no_address_is_refused_without_being_repeated(harness: Harness, path: str, email: str) -> None:
    body = {"email": email, "password": PASSWORD, "name": "Mia", "code": "123456"}
    wanted = {
        "/sign-up": {"email", "password", "name"},
        "/sign-up/confirm": {"email", "code"},
        "/sessions": {"email", "password"},
    }
    fields = wanted.get(path, {"email"} if path != "/password/reset" else {"email", "code", "password"})
    content = {name: value for name, value in body.items() if name in fields}
    written = json.dumps(content)  # in ASCII: a lone surrogate as its escape
    answer = await harness.client.post(path, content=written, headers={"Content-Type": "application/json"})
    problem = assert_problem(answer, 422, "invalid_request")
    assert [fault["field"] for fault in problem["fields"]] == ["email"]
    assert not email or email not in answer.text


@pytest.mark.parametrize("local_part", ["\u0130" * 21, "\u0390" * 10, "\u00fc" * 32])
async def test_an_address_that_grows_in_lower_case_is_kept_and_found(harness: Harness, local_part: str) -> None:
    await sign_up(harness, normalize("NFC", local_part.lower()) + "@example.org")
    assert (await try_to_sign_in(harness, f"{local_part}@example.org")).status_code == 201


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("\u3000Mia\u3000Ruiz ", "Mia\u3000Ruiz"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("\ufeffE\u0301mile\u200b", "\u00c9mile"),
        *((unseen, None) for unseen in ("\u200b\u200d", "\u3164", "\u2800", " \u00ad ", "\u0301", "\ufe0f")),
    ],
)
async def test_names_are_kept_as_they_are_seen(harness: Harness, name: str, kept: str | None) -> None:
    if kept is None:
        wanted = {"email": "mia@example.org", "password": PASSWORD, "name": name}
        assert_problem(await harness.client.post("/sign-up", json=wanted), 422, "invalid_request")
        return
    await sign_up(harness, "mia@example.org", name=name)
    account = harness.provider.account_of("mia@example.org")
    assert account is not None
    assert account.name == kept


async def test_gates_whose_names_look_the_same_are_one(harness: Harness) -> None:
    admin = (await new_admin(harness)).headers
    gym = harness.world.gym()
    path = f"/gyms/{gym}/gates"
    assert (
        await harness.client.post(path, json={"name": "Fro\u0308nt Door", "serves": "both"}, headers=admin)
    ).status_code == 201
    for name in ("fr\u00f6nt door", "FR\u00d6NT\u3000 DOOR", "Fr\u00f6nt\u200b Door", "\uff26r\u00f6nt Door"):
        answer = await harness.client.post(path, json={"name": name, "serves": "both"}, headers=admin)
        assert_problem(answer, 409, "gate_name_taken")
    answer = await harness.client.post(path, json={"name": "Front Door", "serves": "both"}, headers=admin)
    assert answer.status_code == 201
