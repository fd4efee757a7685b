"""Codes by mail, refresh tokens and authorization codes of the local provider."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from domain.identity.model import UNKNOWN_CLIENT, Client, IdentityProblem, ReusedCredential, Tokens
from domain.identity.pkce import challenge_of
from integrations.local_identity.accounts import new_account
from integrations.local_identity.mailed_codes import (
    MAX_OPEN_RECORDS,
    MAX_OPEN_RECORDS_PER_NETWORK,
    MAX_WRONG_ATTEMPTS,
    MAX_WRONG_ATTEMPTS_WITHOUT_ID,
)
from tests.contract.identity_provider_contract import claims_of
from tests.unit.integrations.local_identity.harness import (
    EMAIL,
    OTHER_PASSWORD,
    PASSWORD,
    REDIRECT,
    ProviderHarness,
    problem_of,
)

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # of RFC 7636 appendix B
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"
PHONE = Client("phone", "192.0.2.1")
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def signed_up(harness: ProviderHarness, password: str = PASSWORD, name: str = "Ana", network: str = HOME) -> UUID:
    made = harness.provider.sign_up(EMAIL, password, name, network)
    assert isinstance(made, UUID), made
    return made


def confirm(harness: ProviderHarness, code: str, sign_up_id: UUID | None = None) -> IdentityProblem | None:
    return problem_of(harness.provider.confirm_sign_up(EMAIL, code, sign_up_id))


def reset(harness: ProviderHarness, code: str, reset_id: UUID | None = None) -> IdentityProblem | None:
    return problem_of(harness.provider.reset_password(EMAIL, code, OTHER_PASSWORD, reset_id))


def authorized(harness: ProviderHarness, challenge: str | None = CHALLENGE) -> str:
    code = harness.provider.authorize(EMAIL, PASSWORD, REDIRECT, challenge)
    assert isinstance(code, str)
    return code


def exchanged(
    harness: ProviderHarness, code: str, redirect_uri: str = REDIRECT, verifier: str | None = VERIFIER
) -> Tokens | None:
    answer = harness.provider.exchange_code(code, redirect_uri, verifier)
    if isinstance(answer, Tokens):
        return answer
    assert isinstance(answer, ReusedCredential) or answer.problem is IdentityProblem.WRONG_CODE
    return None


def kept_text(harness: ProviderHarness) -> str:
    """Everything in the file."""
    assert harness.settings.identity.accounts_file is not None
    connection = sqlite3.connect(harness.settings.identity.accounts_file)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


# Codes by mail


def test_a_code_has_six_digits_and_is_in_the_mail(harness: ProviderHarness) -> None:
    harness.provider.sign_up(EMAIL, PASSWORD, "Ana")
    [mail] = harness.mailbox.to(EMAIL)
    assert len(harness.code()) == 6
    assert harness.code().isdigit()
    assert harness.code() in mail.text


def test_a_confirmation_is_refused_after_a_day(harness: ProviderHarness) -> None:
    harness.provider.sign_up(EMAIL, PASSWORD, "Ana")
    harness.later(hours=24)
    assert confirm(harness, harness.code()) is IdentityProblem.WRONG_CODE


def test_a_reset_is_refused_after_a_quarter_of_an_hour(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.forgot_password(EMAIL)
    harness.later(minutes=15)
    assert reset(harness, harness.code()) is IdentityProblem.WRONG_CODE


def test_a_reset_is_accepted_until_then(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.forgot_password(EMAIL)
    harness.later(minutes=15, seconds=-1)
    assert reset(harness, harness.code()) is None


@pytest.mark.parametrize(("wrong", "then"), [(4, None), (5, IdentityProblem.WRONG_CODE)])
def test_after_five_wrong_tries_the_right_code_is_wrong_too(
    harness: ProviderHarness, wrong: int, then: IdentityProblem | None
) -> None:
    made = signed_up(harness)
    for number in range(wrong):
        assert confirm(harness, harness.other_code(number + 1), made) is IdentityProblem.WRONG_CODE
    assert confirm(harness, harness.code(), made) is then


def test_a_sign_up_that_its_own_tries_have_ended_is_open_to_nobody(harness: ProviderHarness) -> None:
    made = signed_up(harness)
    for number in range(MAX_WRONG_ATTEMPTS):
        confirm(harness, harness.other_code(number + 1), made)
    assert confirm(harness, harness.code()) is IdentityProblem.WRONG_CODE


@pytest.mark.parametrize(("wrong", "then"), [(-1, None), (0, IdentityProblem.WRONG_CODE)])
def test_without_its_id_a_sign_up_is_closed_after_many_wrong_tries_but_its_owner_names_it(
    harness: ProviderHarness, wrong: int, then: IdentityProblem | None
) -> None:
    made = signed_up(harness)
    for number in range(MAX_WRONG_ATTEMPTS_WITHOUT_ID + wrong):
        confirm(harness, harness.other_code(number + 1))
    assert confirm(harness, harness.code()) is then
    if then is not None:
        assert confirm(harness, harness.code(), made) is None


def test_however_many_sign_ups_are_open_a_stranger_has_so_many_tries_without_an_id(harness: ProviderHarness) -> None:
    ids = {}
    for number in range(MAX_OPEN_RECORDS):
        made = signed_up(harness, network=str(number))
        ids[made] = harness.code()
        for by in range(MAX_WRONG_ATTEMPTS_WITHOUT_ID // MAX_OPEN_RECORDS):
            confirm(harness, str(1_000_000 + by))
        harness.provider.resend_code(EMAIL, made)
        ids[made] = harness.code()
    harness.later(hours=1)
    assert {confirm(harness, code) for code in ids.values()} == {IdentityProblem.WRONG_CODE}
    made, code = ids.popitem()
    assert confirm(harness, code, made) is None


def test_resets_that_follow_each_other_give_a_stranger_no_new_tries_without_an_id(harness: ProviderHarness) -> None:
    harness.member()
    for _ in range(5):
        harness.provider.forgot_password(EMAIL, HOME)
        for number in range(MAX_WRONG_ATTEMPTS_WITHOUT_ID // 5):
            reset(harness, harness.other_code(number + 1))
        harness.later(minutes=16)
    made = harness.provider.forgot_password(EMAIL, HOME)
    assert reset(harness, harness.code()) is IdentityProblem.WRONG_CODE
    assert reset(harness, harness.code(), made) is None
    harness.provider.forgot_password(EMAIL, HOME)
    assert reset(harness, harness.code()) is None, "the owner has shown who they are"


def test_wrong_codes_of_a_stranger_spend_neither_a_sign_up_nor_a_reset_of_the_owner(harness: ProviderHarness) -> None:
    made, code = signed_up(harness), harness.code()
    theirs = signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)
    for number in range(2 * MAX_WRONG_ATTEMPTS):
        for sign_up_id in (theirs, None, uuid4()):
            confirm(harness, harness.other_code(number + 1), sign_up_id)
    assert confirm(harness, code, made) is None
    mine = harness.provider.forgot_password(EMAIL, HOME)
    code = harness.code()
    theirs = harness.provider.forgot_password(EMAIL, ELSEWHERE)
    for number in range(2 * MAX_WRONG_ATTEMPTS):
        for reset_id in (theirs, None, uuid4()):
            reset(harness, harness.other_code(number + 1), reset_id)
    assert reset(harness, code, mine) is None


def test_wrong_tries_at_once_all_count(harness: ProviderHarness) -> None:
    harness.member()
    made = harness.provider.forgot_password(EMAIL)
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda number: reset(harness, harness.other_code(number), made), range(1, 6)))
    assert reset(harness, harness.code(), made) is IdentityProblem.WRONG_CODE


def test_the_owner_of_a_sign_up_replaces_its_code_and_its_tries(harness: ProviderHarness) -> None:
    made, first = signed_up(harness), harness.code()
    for number in range(MAX_WRONG_ATTEMPTS):
        confirm(harness, harness.other_code(number + 1), made)
    harness.provider.resend_code(EMAIL, made)
    assert harness.code() != first
    assert confirm(harness, first, made) is IdentityProblem.WRONG_CODE
    assert confirm(harness, harness.code(), made) is None


def test_a_code_that_anybody_asks_for_leaves_the_former_one_valid(harness: ProviderHarness) -> None:
    made, first = signed_up(harness), harness.code()
    harness.provider.resend_code(EMAIL, None, ELSEWHERE)
    second = harness.code()
    assert second != first
    assert confirm(harness, second, made) is IdentityProblem.WRONG_CODE
    assert confirm(harness, first, made) is None


def test_a_second_code_makes_the_account_of_the_newest_sign_up(harness: ProviderHarness) -> None:
    signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)
    signed_up(harness)
    harness.provider.resend_code(EMAIL)
    assert confirm(harness, harness.code()) is None
    harness.signed_in(PASSWORD)


@pytest.mark.parametrize("sign_up_id", [None, UUID(int=1)])
def test_no_second_code_is_sent_where_nothing_is_open(harness: ProviderHarness, sign_up_id: UUID | None) -> None:
    harness.provider.resend_code(EMAIL, sign_up_id)
    signed_up(harness)
    harness.later(hours=24)
    harness.mailbox.mails.clear()
    harness.provider.resend_code(EMAIL, sign_up_id)
    assert harness.mailbox.mails == []


def test_an_account_is_confirmed_once_and_after_that_every_code_is_wrong(harness: ProviderHarness) -> None:
    made = signed_up(harness)
    assert confirm(harness, harness.code(), made) is None
    nobody = harness.provider.confirm_sign_up("nobody@example.com", harness.code())
    for sign_up_id in (made, None, uuid4()):
        assert harness.provider.confirm_sign_up(EMAIL, harness.code(), sign_up_id) == nobody
    harness.signed_in()


def test_of_those_who_confirm_one_sign_up_at_once_one_makes_the_account(harness: ProviderHarness) -> None:
    made = signed_up(harness)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: confirm(harness, harness.code(), made), range(6)))
    assert sorted(answers, key=str) == [None, *[IdentityProblem.WRONG_CODE] * 5]


def test_without_an_id_the_codes_of_all_open_sign_ups_count_each_for_its_own(harness: ProviderHarness) -> None:
    signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)
    signed_up(harness)
    mine = harness.code()
    signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)
    assert confirm(harness, mine) is None
    harness.signed_in(PASSWORD)
    assert problem_of(harness.provider.sign_in(EMAIL, OTHER_PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS


def test_what_was_open_for_an_address_ends_with_its_account_s_beginning_and_end(harness: ProviderHarness) -> None:
    ids = [signed_up(harness), signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)]
    codes = [mail.code or "" for mail in harness.mailbox.mails]
    account = harness.member()
    reset_id, reset_code = harness.provider.forgot_password(EMAIL), harness.code()
    harness.provider.delete(account.sub)
    for sign_up_id, code in zip([*ids, None], [*codes, codes[0]], strict=True):
        assert confirm(harness, code, sign_up_id) is IdentityProblem.WRONG_CODE
    harness.member()
    assert reset(harness, reset_code, reset_id) is IdentityProblem.WRONG_CODE


def test_sign_ups_of_an_address_are_bounded_and_none_replaces_another(harness: ProviderHarness) -> None:
    first, code = signed_up(harness), harness.code()
    more = [signed_up(harness, OTHER_PASSWORD, "Eve", f"2001:db8::{number}") for number in range(2 * MAX_OPEN_RECORDS)]
    assert len(set(more)) == len(more), "beyond the bound there is an id as well"
    assert len(harness.mailbox.mails) == MAX_OPEN_RECORDS
    assert confirm(harness, code, first) is None


def test_one_network_does_not_take_all_the_places_of_an_address(harness: ProviderHarness) -> None:
    for _ in range(2 * MAX_OPEN_RECORDS):
        signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)
    assert len(harness.mailbox.mails) == MAX_OPEN_RECORDS_PER_NETWORK
    made = signed_up(harness)
    assert confirm(harness, harness.code(), made) is None


def test_places_are_free_again_once_their_time_is_over(harness: ProviderHarness) -> None:
    for number in range(MAX_OPEN_RECORDS):
        signed_up(harness, network=str(number))
    harness.later(hours=24)
    made = signed_up(harness)
    assert confirm(harness, harness.code(), made) is None


def test_resets_of_an_account_are_bounded_and_none_replaces_another(harness: ProviderHarness) -> None:
    harness.member()
    first, code = harness.provider.forgot_password(EMAIL, HOME), harness.code()
    more = [harness.provider.forgot_password(EMAIL, ELSEWHERE) for _ in range(2 * MAX_OPEN_RECORDS)]
    assert len({first, *more}) == len(more) + 1
    assert len(harness.mailbox.mails) == 1 + MAX_OPEN_RECORDS_PER_NETWORK
    assert reset(harness, code, more[0]) is IdentityProblem.WRONG_CODE
    assert reset(harness, code, first) is None


def test_without_an_id_the_codes_of_all_open_resets_count(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.forgot_password(EMAIL, HOME)
    code = harness.code()
    harness.provider.forgot_password(EMAIL, ELSEWHERE)
    assert reset(harness, code) is None
    assert reset(harness, harness.code()) is IdentityProblem.WRONG_CODE, "the others end with it"


@pytest.mark.parametrize("how", ["by its owner", "by an admin"])
def test_a_changed_password_ends_the_open_resets(harness: ProviderHarness, how: str) -> None:
    account = harness.member()
    reset_id = harness.provider.forgot_password(EMAIL)
    if how == "by its owner":
        assert harness.provider.change_password(harness.signed_in().access_token, PASSWORD, OTHER_PASSWORD) is None
    else:
        assert harness.provider.set_password(account.sub, OTHER_PASSWORD) is None
    assert reset(harness, harness.code(), reset_id) is IdentityProblem.WRONG_CODE


def test_a_changed_password_ends_what_the_old_one_has_begun_except_the_session_that_changed_it(
    harness: ProviderHarness,
) -> None:
    harness.member()
    own, other, code = harness.signed_in(), harness.signed_in(), authorized(harness)
    assert harness.provider.change_password(own.access_token, PASSWORD, OTHER_PASSWORD) is None
    assert exchanged(harness, code) is None, "a code of the sign-in page from before"
    assert harness.is_over(other)
    assert not harness.provider.is_session_valid(UUID(str(claims_of(other.access_token)["origin_jti"])))
    harness.refreshed(own)


def test_sign_ups_for_an_address_in_use_are_bounded_alike_and_stay_without_effect(harness: ProviderHarness) -> None:
    account = harness.member()
    answers = [
        harness.provider.sign_up(EMAIL, OTHER_PASSWORD, "Eve", ELSEWHERE)
        for _ in range(2 * MAX_OPEN_RECORDS_PER_NETWORK)
    ]
    in_use = [answer for answer in answers if problem_of(answer) is IdentityProblem.EMAIL_IN_USE]
    assert len(in_use) == MAX_OPEN_RECORDS_PER_NETWORK, "so many mails are sent to its owner"
    harness.provider.resend_code(EMAIL)
    assert harness.mailbox.mails == []
    harness.provider.delete(account.sub)
    harness.provider.resend_code(EMAIL)
    assert harness.mailbox.mails == []


@pytest.mark.parametrize("in_use", [True, False])
def test_another_code_counts_towards_the_bound_whether_or_not_the_address_is_in_use(
    harness: ProviderHarness,
    in_use: bool,  # noqa: FBT001 - a parameter
) -> None:
    if in_use:
        harness.member(password="her own 5 secret words")  # noqa: S106 - of nobody
    harness.provider.sign_up(EMAIL, PASSWORD, "Eve", ELSEWHERE)
    for _ in range(MAX_OPEN_RECORDS_PER_NETWORK):
        harness.provider.resend_code(EMAIL, network=ELSEWHERE)
    harness.provider.sign_up(EMAIL, OTHER_PASSWORD, "Eve", ELSEWHERE)
    # The password of the last sign-up that was kept is answered `not_confirmed`.
    kept = [problem_of(harness.provider.sign_in(EMAIL, password)) for password in (PASSWORD, OTHER_PASSWORD)]
    assert kept == [IdentityProblem.NOT_CONFIRMED, IdentityProblem.WRONG_CREDENTIALS]


def test_a_reset_code_is_good_once(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.forgot_password(EMAIL)
    assert reset(harness, harness.code()) is None
    assert reset(harness, harness.code()) is IdentityProblem.WRONG_CODE


def test_a_code_for_one_purpose_is_good_for_no_other(harness: ProviderHarness) -> None:
    harness.provider.sign_up(EMAIL, PASSWORD, "Ana")
    assert reset(harness, harness.code()) is IdentityProblem.WRONG_CODE


def test_a_weak_new_password_does_not_use_the_code_up(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.forgot_password(EMAIL)
    for weak in ("short", "ana lima ana lima"):
        answer = harness.provider.reset_password(EMAIL, harness.code(), weak)
        assert problem_of(answer) is IdentityProblem.WEAK_PASSWORD
    assert reset(harness, harness.code()) is None


def test_a_reset_confirms_an_account_taken_over_for_its_owner_has_read_the_mail(harness: ProviderHarness) -> None:
    harness.provider.add_accounts([new_account(uuid4(), EMAIL, "Ana", harness.now, confirmed=False)])
    harness.provider.forgot_password(EMAIL)
    assert reset(harness, harness.code()) is None
    account = harness.provider.account_of(EMAIL)
    assert account is not None
    assert account.confirmed
    assert account.groups == ("User",)


def test_a_sign_up_that_waits_for_its_code_has_no_password_to_forget(harness: ProviderHarness) -> None:
    signed_up(harness)
    harness.mailbox.mails.clear()
    harness.provider.forgot_password(EMAIL)
    assert harness.mailbox.mails == []


def test_the_password_of_the_newest_sign_up_gets_the_answer_that_a_code_is_missing(harness: ProviderHarness) -> None:
    signed_up(harness, OTHER_PASSWORD, "Eve", ELSEWHERE)
    signed_up(harness)
    assert problem_of(harness.provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.NOT_CONFIRMED
    assert problem_of(harness.provider.sign_in(EMAIL, OTHER_PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS
    harness.later(hours=24)
    assert problem_of(harness.provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS


def test_a_reset_ends_all_sessions(harness: ProviderHarness) -> None:
    harness.member()
    tokens, code = harness.signed_in(), authorized(harness)
    harness.provider.forgot_password(EMAIL)
    assert reset(harness, harness.code()) is None
    assert harness.is_over(tokens)
    assert exchanged(harness, code) is None


def test_no_code_is_sent_to_whoever_is_unknown_or_confirmed(harness: ProviderHarness) -> None:
    harness.member()
    harness.provider.resend_code(EMAIL)
    harness.provider.resend_code("nobody@example.com")
    harness.provider.forgot_password("nobody@example.com")
    assert harness.mailbox.mails == []


# Refresh tokens


def again(harness: ProviderHarness, tokens: Tokens, client: Client = PHONE) -> Tokens | ReusedCredential:
    """A refresh token, presented by somebody."""
    answer = harness.provider.refresh(tokens.refresh_token, client)
    assert isinstance(answer, Tokens | ReusedCredential), answer
    return answer


def refreshed(harness: ProviderHarness, tokens: Tokens, client: Client = PHONE) -> Tokens:
    answer = again(harness, tokens, client)
    assert isinstance(answer, Tokens)
    return answer


def test_each_refresh_gives_another_token_and_the_spent_one_ends_the_session(harness: ProviderHarness) -> None:
    account = harness.member()
    first = harness.signed_in()
    second = harness.refreshed(first)
    assert second.refresh_token != first.refresh_token
    reused = ReusedCredential(account.sub, UUID(claims_of(first.access_token)["origin_jti"]))
    for tokens in (first, second, first):
        assert again(harness, tokens) == reused, "whoever has to end the session elsewhere gets another chance"


def test_a_spent_token_ends_its_own_session_alone(harness: ProviderHarness) -> None:
    harness.member()
    stolen, other = harness.signed_in(), harness.signed_in()
    harness.refreshed(stolen)
    assert harness.is_over(stolen)
    assert not harness.is_over(other)


def test_the_same_device_gets_the_same_successor_for_ten_seconds(harness: ProviderHarness) -> None:
    harness.member()
    first = harness.signed_in()
    second = refreshed(harness, first)
    harness.later(seconds=9.9)
    answer = refreshed(harness, first)
    assert answer.refresh_token == second.refresh_token
    assert claims_of(answer.access_token)["origin_jti"] == claims_of(second.access_token)["origin_jti"]
    assert refreshed(harness, answer).refresh_token not in {first.refresh_token, second.refresh_token}


def test_a_second_answer_does_not_extend_the_ten_seconds(harness: ProviderHarness) -> None:
    harness.member()
    first = harness.signed_in()
    second = refreshed(harness, first)
    for _ in range(3):
        harness.later(seconds=3)
        assert refreshed(harness, first).refresh_token == second.refresh_token
    harness.later(seconds=1)
    assert isinstance(again(harness, first), ReusedCredential)
    assert isinstance(again(harness, second), ReusedCredential)


def test_a_spent_token_whose_successor_was_used_ends_the_session_at_once(harness: ProviderHarness) -> None:
    harness.member()
    first = harness.signed_in()
    third = refreshed(harness, refreshed(harness, first))
    assert isinstance(again(harness, first), ReusedCredential)
    assert harness.is_over(third)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PHONE, Client("phone", "192.0.2.2")),
        (PHONE, Client("curl", "192.0.2.1")),
        (PHONE, UNKNOWN_CLIENT),
        (Client("phone", "2001:db8::1"), Client("phone", "2001:db8:0:1::1")),
        (UNKNOWN_CLIENT, UNKNOWN_CLIENT),
        (Client("phone"), Client("phone")),
    ],
)
def test_a_spent_token_from_elsewhere_ends_the_session_at_once(
    harness: ProviderHarness, one: Client, other: Client
) -> None:
    harness.member()
    first = harness.signed_in()
    second = refreshed(harness, first, one)
    assert isinstance(again(harness, first, other), ReusedCredential)
    assert isinstance(again(harness, second, one), ReusedCredential)


def test_another_address_of_the_same_network_of_64_bits_is_the_same_device(harness: ProviderHarness) -> None:
    harness.member()
    first = harness.signed_in()
    one, other = Client("phone", "2001:db8::1"), Client("phone", "2001:db8::ffff:1")
    assert refreshed(harness, first, one).refresh_token == refreshed(harness, first, other).refresh_token


def test_a_session_that_was_signed_out_meanwhile_gets_no_second_answer(harness: ProviderHarness) -> None:
    account = harness.member()
    first = harness.signed_in()
    refreshed(harness, first)
    harness.provider.sign_out_everywhere(account.sub)
    assert problem_of(harness.provider.refresh(first.refresh_token, PHONE)) is IdentityProblem.SESSION_OVER


def test_a_disabled_account_gets_no_second_answer(harness: ProviderHarness) -> None:
    account = harness.member()
    first = harness.signed_in()
    refreshed(harness, first)
    harness.provider.set_enabled(account.sub, enabled=False)
    harness.provider.set_enabled(account.sub, enabled=True)
    assert problem_of(harness.provider.refresh(first.refresh_token, PHONE)) is IdentityProblem.SESSION_OVER


def test_all_tabs_of_one_device_that_use_one_token_at_once_get_one_successor(harness: ProviderHarness) -> None:
    harness.member()
    tokens = harness.signed_in()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: refreshed(harness, tokens), range(20)))
    [successor] = {answer.refresh_token for answer in answers}
    assert successor != tokens.refresh_token
    assert not harness.is_over(answers[0])


def test_of_strangers_who_use_one_token_at_once_nobody_keeps_the_session(harness: ProviderHarness) -> None:
    harness.member()
    tokens = harness.signed_in()
    strangers = [Client("phone", f"192.0.2.{number}") for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda client: again(harness, tokens, client), strangers))
    winners = [answer for answer in answers if isinstance(answer, Tokens)]
    assert len(winners) == 1
    assert harness.is_over(winners[0])


def test_neither_a_token_nor_its_successor_nor_the_device_can_be_read_in_the_file(harness: ProviderHarness) -> None:
    harness.member()
    first = harness.signed_in()
    second = refreshed(harness, first)
    text = kept_text(harness)
    for secret in (first.refresh_token, second.refresh_token, PHONE.address):
        assert secret not in text
    third = refreshed(harness, second)
    assert kept_text(harness).count(sealed_in(text)) == 0, "of a used successor nothing is kept"
    assert third.refresh_token not in kept_text(harness)


def sealed_in(text: str) -> str:
    """The sealed successor that stands in a dump."""
    [sealed] = re.findall(r"'([A-Za-z0-9+/]{80,}=*)'", text)
    return str(sealed)


def test_a_file_of_an_earlier_version_goes_on_and_its_spent_tokens_get_no_second_answer(
    harness: ProviderHarness, tmp_path: Path
) -> None:
    harness.member()
    spent, valid = harness.signed_in(), harness.signed_in()
    refreshed(harness, spent)
    harness.provider.close()
    file = harness.settings.identity.accounts_file
    assert file is not None
    with closing(sqlite3.connect(file)) as connection:
        for column in ("spent_at", "spent_by", "successor"):
            connection.execute(f"ALTER TABLE refresh_tokens DROP COLUMN {column}")
        connection.commit()
    later = ProviderHarness(tmp_path)
    later.now = harness.now
    second = refreshed(later, valid)
    assert refreshed(later, valid).refresh_token == second.refresh_token
    assert isinstance(again(later, spent), ReusedCredential)
    later.provider.close()
    with closing(sqlite3.connect(file)) as connection:  # an earlier version writes rows without the columns
        connection.execute(
            "INSERT INTO refresh_tokens (token_hash, session_id, sub, auth_time, spent, expires_at)"
            " SELECT 'x', session_id, sub, auth_time, spent, expires_at FROM refresh_tokens LIMIT 1"
        )


def test_a_refresh_token_grows_old(harness: ProviderHarness) -> None:
    harness.member()
    tokens = harness.signed_in()
    harness.later(days=30)
    assert harness.is_over(tokens)


def test_a_refresh_keeps_when_the_password_was_given(harness: ProviderHarness) -> None:
    harness.member()
    first = harness.signed_in()
    harness.later(hours=2)
    second = harness.refreshed(first)
    before, after = claims_of(first.access_token), claims_of(second.access_token)
    assert after["auth_time"] == before["auth_time"]
    assert after["iat"] - before["iat"] == 7200


def test_a_revoked_session_is_over_by_any_of_its_tokens_and_alone(harness: ProviderHarness) -> None:
    harness.member()
    first, other = harness.signed_in(), harness.signed_in()
    second = harness.refreshed(first)
    harness.provider.revoke(first.refresh_token)
    harness.provider.revoke("never was one")
    assert harness.is_over(second)
    assert not harness.is_over(other)


# Authorization codes


def test_the_sign_in_page_is_asked_for_with_all_that_it_needs(harness: ProviderHarness) -> None:
    url = urlsplit(harness.provider.authorize_url(REDIRECT, "a state & more", CHALLENGE))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://127.0.0.1:8000/api/identity/oauth2/authorize"
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": [harness.settings.identity.client_id],
        "redirect_uri": [REDIRECT],
        "state": ["a state & more"],
        "code_challenge": [CHALLENGE],
        "code_challenge_method": ["S256"],
    }


def test_another_address_of_the_page_is_used_where_it_is_set(harness: ProviderHarness) -> None:
    harness.settings.identity.hosted_url = "https://gym.example/"
    url = harness.provider.authorize_url(REDIRECT, "s", CHALLENGE)
    assert url.startswith("https://gym.example/api/identity/oauth2/authorize?")


def test_the_challenge_is_that_of_the_rfc() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE


def test_a_code_gives_a_session_to_whoever_knows_the_verifier(harness: ProviderHarness) -> None:
    account = harness.member()
    tokens = exchanged(harness, authorized(harness))
    assert tokens is not None
    assert claims_of(tokens.access_token)["sub"] == str(account.sub)
    harness.refreshed(tokens)


@pytest.mark.parametrize("verifier", [None, "", "another", "é", CHALLENGE])
def test_without_the_verifier_a_code_is_worth_nothing(harness: ProviderHarness, verifier: str | None) -> None:
    harness.member()
    assert exchanged(harness, authorized(harness), verifier=verifier) is None


@pytest.mark.parametrize("challenge", ["é", ""])
def test_a_challenge_that_is_none_is_answered_by_nothing(harness: ProviderHarness, challenge: str) -> None:
    harness.member()
    assert exchanged(harness, authorized(harness, challenge)) is None


def test_a_verifier_where_none_was_announced_is_refused(harness: ProviderHarness) -> None:
    harness.member()
    assert exchanged(harness, authorized(harness, None)) is None
    assert exchanged(harness, authorized(harness, None), verifier=None) is not None


def test_a_code_is_good_for_the_place_that_it_was_sent_to(harness: ProviderHarness) -> None:
    harness.member()
    assert exchanged(harness, authorized(harness), redirect_uri="https://eve.example/callback") is None


def test_a_code_is_good_for_a_minute(harness: ProviderHarness) -> None:
    harness.member()
    early, late = authorized(harness), authorized(harness)
    harness.later(seconds=59)
    assert exchanged(harness, early) is not None
    harness.later(seconds=1)
    assert exchanged(harness, late) is None


def test_a_second_use_of_a_code_ends_the_session_of_the_first(harness: ProviderHarness) -> None:
    harness.member()
    code = authorized(harness)
    tokens = exchanged(harness, code)
    assert tokens is not None
    harness.later(minutes=30)
    fresh = harness.refreshed(tokens)
    assert exchanged(harness, code) is None
    assert harness.is_over(fresh)


def test_of_those_who_use_one_code_at_once_nobody_keeps_a_session(harness: ProviderHarness) -> None:
    harness.member()
    code = authorized(harness)
    with ThreadPoolExecutor(6) as threads:
        winners = [tokens for tokens in threads.map(lambda _: exchanged(harness, code), range(6)) if tokens]
    assert len(winners) == 1
    assert harness.is_over(winners[0])


def test_no_code_is_given_without_the_password_nor_to_a_disabled_account(harness: ProviderHarness) -> None:
    account = harness.member()
    wrong = harness.provider.authorize(EMAIL, OTHER_PASSWORD, REDIRECT, CHALLENGE)
    assert problem_of(wrong) is IdentityProblem.WRONG_CREDENTIALS
    code = authorized(harness)
    harness.provider.set_enabled(account.sub, enabled=False)
    assert exchanged(harness, code) is None
    refused = harness.provider.authorize(EMAIL, PASSWORD, REDIRECT, CHALLENGE)
    assert problem_of(refused) is IdentityProblem.ACCOUNT_DISABLED


# What is kept


def test_no_secret_stands_in_the_file(harness: ProviderHarness) -> None:
    harness.provider.sign_up("bo@example.com", PASSWORD, "Bo")
    harness.member()
    harness.provider.forgot_password(EMAIL)
    secrets = [PASSWORD, authorized(harness), harness.signed_in().refresh_token]
    text = kept_text(harness)
    assert "bo@example.com" in text
    assert [secret for secret in secrets if secret in text] == []
    assert [code for code in (harness.code(), harness.code("bo@example.com")) if f"'{code}'" in text] == []
