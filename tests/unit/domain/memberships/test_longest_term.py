"""A membership ends within 50 years, whatever is given to it; days that are paid for are never lost."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.memberships import ledger_rules
from domain.memberships.ledger import LedgerBalance
from domain.memberships.ledger_rules import LONGEST_AHEAD, LONGEST_AHEAD_WHEN_PAID, refuse_grant
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from tests.unit.domain.memberships.ledger_in_memory import D0, Books

LONGEST = LONGEST_AHEAD.days


def given_days(books: Books, days: int) -> object:
    return books.write(ledger_rules.adjustment(books.account, books.today, days))


def refusal(answer: object) -> MembershipRefusal:
    assert isinstance(answer, MembershipRefusal)
    return answer


def test_days_up_to_fifty_years_ahead_are_given_and_one_more_is_refused() -> None:
    books = Books()
    books.buy(LONGEST - 10)
    given_days(books, 10)
    assert books.ends == LONGEST
    answer = refusal(given_days(books, 1))
    assert (answer.problem, answer.detail) == (
        MembershipProblem.TOO_LONG,
        "1 more days end after 2076-02-29, the last day that is allowed. Take days back first, or wait.",
    )
    books.on(1)
    assert refusal(given_days(books, 5)).detail.endswith("Use 1 days or fewer.")
    given_days(books, 1)
    assert books.ends == LONGEST + 1


@given(steps=st.lists(st.integers(-3660, 3660), max_size=16), passing=st.integers(0, 400))
def test_no_row_of_adjustments_ends_past_fifty_years(steps: list[int], passing: int) -> None:
    books = Books()
    books.buy(30)
    for number, days in enumerate(steps):
        books.on(number * passing)
        given_days(books, days)
        assert (books.account.ends_on or books.today) <= books.today + LONGEST_AHEAD


def test_a_freeze_moves_no_end_past_fifty_years() -> None:
    books = Books()
    books.buy(LONGEST - 5)
    assert refusal(books.freeze(6)).problem is MembershipProblem.TOO_LONG
    assert books.ends == LONGEST - 5
    books.freeze(5)
    assert books.ends == LONGEST


def test_days_can_be_taken_back_from_a_membership_that_runs_too_long() -> None:
    books = Books()
    books.buy(LONGEST + 3660)
    assert refusal(given_days(books, 1)).problem is MembershipProblem.TOO_LONG
    given_days(books, -3670)
    assert books.ends == LONGEST - 10
    given_days(books, 10)


@pytest.mark.parametrize("days", [1, 3660])
def test_paid_days_are_granted_past_fifty_years_but_not_near_the_end_of_the_calendar(days: int) -> None:
    books = Books()
    books.buy(LONGEST)
    assert refuse_grant(books.account, D0, days) is not None
    assert refuse_grant(books.account, D0, days, LONGEST_AHEAD_WHEN_PAID) is None
    books.buy((date(9990, 1, 1) - D0).days - LONGEST)
    assert refuse_grant(books.account, D0, days, LONGEST_AHEAD_WHEN_PAID) is not None


def test_a_first_purchase_of_any_plan_fits() -> None:
    assert refuse_grant(LedgerBalance(), D0, 3660) is None
    assert timedelta(days=3660) < LONGEST_AHEAD
