"""The table of worked examples in docs/payments.md, row by row."""

import pytest

from domain.memberships import ledger_rules
from domain.memberships.ledger import money_kept
from domain.memberships.periods import Period
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from tests.unit.domain.memberships.ledger_in_memory import Books, day, euro


@pytest.fixture
def books() -> Books:
    return Books()


def test_first_purchase_covers_its_days_from_today(books: Books) -> None:
    books.buy()
    assert books.account.coverage.periods == (Period(day(0), day(30)),)
    assert books.ends == 30


def test_paying_early_loses_no_day(books: Books) -> None:
    books.buy()
    books.on(10).buy()
    assert books.rows[-1][0].period == Period(day(30), day(60))
    assert books.ends == 60


def test_paying_late_buys_no_past(books: Books) -> None:
    books.buy()
    books.on(35).buy()
    assert books.rows[-1][0].period == Period(day(35), day(65))
    assert books.ends == 65
    assert books.account.coverage.days() == 60


def test_full_refund_of_the_only_purchase_takes_the_unused_days(books: Books) -> None:
    order = books.buy()
    books.on(10).refund(order)
    assert books.rows[-1][0].period == Period(day(10), day(30))
    assert not books.rows[-1][0].grants
    assert books.ends == 10
    assert money_kept(draft for draft, _ in books.rows) == {"EUR": 0}


def test_full_refund_of_the_first_of_two_moves_the_second(books: Books) -> None:
    first = books.buy()
    second = books.on(5).buy()
    books.on(10).refund(first)
    assert books.ends == 40
    assert books.account.unused(second, day(10)) == 30
    assert books.account.unused(first, day(10)) == 0


def test_refund_in_part_takes_its_share_rounded_down(books: Books) -> None:
    order = books.buy()
    books.on(10).refund(order, 400)
    assert books.ends == 18


def test_refund_in_part_never_takes_more_than_is_unused(books: Books) -> None:
    order = books.buy()
    books.on(25).refund(order, 400)
    assert books.ends == 25


def test_refund_in_part_of_the_first_of_two_takes_nothing_of_the_second(books: Books) -> None:
    first = books.buy()
    second = books.buy()
    books.on(25).refund(first, 400)
    assert books.ends == 55
    assert books.account.unused(first, day(25)) == 0
    assert books.account.unused(second, day(25)) == 30


def test_refunds_in_parts_take_no_more_days_than_one_of_their_sum(books: Books) -> None:
    order = books.buy(days=30, cents=1000)
    for _ in range(3):
        books.refund(order, 333)
    assert books.ends == 30 - 29  # floor(30 * 999 / 1000)
    books.refund(order, 1)
    assert books.ends == 0


def test_freeze_moves_the_end_by_its_days_and_unfreezing_gives_the_rest_back(books: Books) -> None:
    books.buy()
    books.on(10).freeze(7)
    assert books.account.freeze == Period(day(10), day(17))
    assert books.ends == 37
    books.on(13).unfreeze()
    assert books.ends == 33
    assert books.account.freeze == Period(day(10), day(13))
    assert books.account.coverage.days() == 30


def test_freeze_in_grace_is_refused(books: Books) -> None:
    books.buy()
    refused = books.on(32).freeze(7)
    assert isinstance(refused, MembershipRefusal)
    assert refused.problem is MembershipProblem.NOTHING_TO_FREEZE


def test_dispute_lost_takes_what_was_unused_when_it_was_opened(books: Books) -> None:
    order = books.buy()
    books.on(10).dispute(order)
    assert books.account.suspended_since == day(10)
    assert books.ends == 30
    books.on(40).lose(order)
    assert books.rows[-1][0].period == Period(day(10), day(30))
    assert books.ends == 10
    assert books.account.suspended_since is None
    assert money_kept(draft for draft, _ in books.rows) == {"EUR": 0}


def test_dispute_won_gives_the_withheld_days_again(books: Books) -> None:
    order = books.buy()
    books.on(10).dispute(order)
    books.on(40).win(order)
    assert books.rows[-1][0].period == Period(day(40), day(60))
    assert books.ends == 60
    assert books.account.suspended_since is None


def test_dispute_of_one_of_two_loses_no_day_of_the_other(books: Books) -> None:
    first = books.buy()
    second = books.buy()
    books.on(10).dispute(first)
    books.on(40).lose(first)
    assert books.ends == 70
    assert books.account.unused(second, day(40)) == 30


def test_desk_payment_reversed_the_same_day(books: Books) -> None:
    books.buy()
    books.on(5)
    mistake = books.buy()
    assert books.ends == 60
    books.write(ledger_rules.reversal(books.account, books.today, euro(1000), mistake, mistake))
    assert books.rows[-1][0].period == Period(day(30), day(60))
    assert books.ends == 30
    assert money_kept(draft for draft, _ in books.rows) == {"EUR": 1000}


def test_freeze_of_more_days_than_are_left(books: Books) -> None:
    books.buy()
    books.on(25).freeze(14)
    assert books.ends == 44
    books.on(28).unfreeze()
    assert books.ends == 33


def test_freeze_that_has_not_begun_is_called_off_whole(books: Books) -> None:
    books.buy()
    books.freeze(7, start=10)
    assert books.ends == 37
    books.on(3).unfreeze()
    assert books.ends == 30
    assert books.account.freeze is None
    assert books.account.coverage.periods == (Period(day(0), day(30)),)


def test_member_freezes_within_limits_only(books: Books) -> None:
    books.buy(days=365)
    limits = ledger_rules.FreezeLimits(at_once=31, within_a_year=62, ahead=60)
    assert isinstance(books.freeze(32, limits=limits), MembershipRefusal)
    assert isinstance(books.freeze(7, start=61, limits=limits), MembershipRefusal)
    assert not isinstance(books.freeze(31, limits=limits), MembershipRefusal)
    assert not isinstance(books.on(31).freeze(31, limits=limits), MembershipRefusal)
    assert isinstance(books.on(62).freeze(1, limits=limits), MembershipRefusal)
    assert not isinstance(books.freeze(100), MembershipRefusal)


def test_a_refund_that_failed_gives_the_days_again(books: Books) -> None:
    order = books.buy()
    books.on(10).refund(order)
    books.on(12).write(ledger_rules.refund_failed(books.account, books.today, euro(1000), 20, order, "re_1"))
    assert books.ends == 32
    assert books.account.unused(order, day(12)) == 20
