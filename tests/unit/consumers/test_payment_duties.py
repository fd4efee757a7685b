"""Reconciliation and reminders: done by whoever holds the lease, at a pace, whatever is away for a while."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.event import listens_for, remove
from sqlalchemy.exc import OperationalError

from consumers.duty import ASK_EVERY_S, LEASE_LASTS, Duty
from consumers.payment_duties import Reconciler, Reminding, duties, mail_of
from domain.identity.ports import Mail, MailDeferredError, MailRefusedError, MailUnavailableError
from domain.identity.tables import users
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.reminder_repository import Reminder
from domain.memberships.reminders import send_reminders
from domain.memberships.service import freeze
from domain.memberships.tables import reminders
from domain.payments.model import OrderState
from integrations.lease import Lease
from integrations.settings import Settings, StripeSettings
from tests.integration.domain.cashbox import Cashbox, session
from tests.stores import sqlite_store
from tests.unit.consumers.leases import FakeLease
from tests.world import START, World

PACE_S = 120.0
UNCHECKED_FOR = timedelta(seconds=60)
URL = "https://gym.example.org"


class Rests(Event):
    """Ends the thread after so many rests; each moves the world's clock."""

    def __init__(
        self, box: Cashbox, rests: int, seconds: float = PACE_S, each: Callable[[int], None] | None = None
    ) -> None:
        super().__init__()
        self._box = box
        self._seconds = seconds
        self._each = each or (lambda _number: None)
        self._left = rests
        self.number = 0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout in {PACE_S, ASK_EVERY_S}
        self._box.world.clock.forward(self._seconds)
        self.number += 1
        self._each(self.number)
        if self.number == self._left:
            self.set()
        return self.is_set()


@dataclass
class Post:
    """A mailer that keeps what it is given, and on which day."""

    box: Cashbox
    mails: list[tuple[date, Mail]] = field(default_factory=list)
    away: Callable[[Mail], bool] = lambda _mail: False

    def send(self, mail: Mail) -> None:
        if self.away(mail):
            raise MailUnavailableError("away, says the test")
        self.mails.append((self.box.world.clock().date(), mail))

    def told(self) -> list[tuple[str, str]]:
        """Days and subjects."""
        return [(day.isoformat(), mail.subject) for day, mail in self.mails]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Cashbox]:
    store = sqlite_store(tmp_path)
    box = Cashbox(World(store))
    yield box
    box.handler.close()
    store.close()


@pytest.fixture
def lease(box: Cashbox) -> FakeLease:
    return FakeLease(box.world.store)


def reconciler(box: Cashbox, lease: FakeLease, **others: Any) -> Reconciler:  # noqa: ANN401 - of the duty
    return Reconciler(lease, box.provider, UNCHECKED_FOR, PACE_S, box.world.clock, **others)


def reminding(box: Cashbox, lease: FakeLease, post: Post, **others: Any) -> Reminding:  # noqa: ANN401 - as above
    return Reminding(lease, post, URL, PACE_S, box.world.clock, **others)


def test_a_missed_payment_is_made_up_for_at_the_pace_of_the_duty(box: Cashbox, lease: FakeLease) -> None:
    order = box.order()

    def pays(number: int) -> None:
        if number == 1:
            box.provider.pay(session(order))

    reconciler(box, lease, stopping=Rests(box, 4, each=pays)).run()
    assert box.read(order).state is OrderState.PAID
    assert box.provider.calls["happened_since"] == 4
    assert (lease.asked, lease.released) == (1, 1)


def test_an_open_order_that_was_just_asked_about_is_left_alone(box: Cashbox, lease: FakeLease) -> None:
    box.order()
    reconciler(box, lease, stopping=Rests(box, 3, seconds=30)).run()
    assert box.provider.calls["checkout"] == 1, "after a minute, and not again within one"


def test_without_the_lease_nobody_is_asked(box: Cashbox) -> None:
    box.provider.pay(session(box.order()))
    post, lease = Post(box), FakeLease(box.world.store, [False])
    box.provider.calls.clear()
    reconciler(box, lease, stopping=Rests(box, 3)).run()
    reminding(box, lease, post, stopping=Rests(box, 40, seconds=86_400)).run()
    assert not box.provider.calls
    assert post.mails == []
    assert lease.asked == 43


def test_of_two_only_the_holder_of_the_lease_works_and_the_other_follows_when_it_ends(box: Cashbox) -> None:
    order = box.order()
    box.provider.pay(session(order))
    box.provider.calls.clear()
    first, second = (Lease(box.world.store, "reconciler", LEASE_LASTS) for _ in range(2))
    assert first.ask()

    def lets_go(number: int) -> None:
        if number == 2:
            assert not box.provider.calls
            first.release()

    Reconciler(second, box.provider, UNCHECKED_FOR, PACE_S, box.world.clock, stopping=Rests(box, 3, each=lets_go)).run()
    assert box.provider.calls["happened_since"] == 1
    assert box.read(order).state is OrderState.PAID
    assert first.ask(), "it was given back"
    first.release()


def test_a_holder_that_was_frozen_past_its_lease_books_nothing_and_asks_anew(box: Cashbox, lease: FakeLease) -> None:
    order = box.order()
    box.provider.pay(session(order))
    frozen = [True]

    def freezes(_call: str) -> bool:
        lease.is_held = not (frozen and frozen.pop())  # while the provider is asked
        return False

    def unbooked(number: int) -> None:
        if number == 1:
            assert box.read(order).state is OrderState.OPEN

    box.provider.away = freezes
    reconciler(box, lease, stopping=Rests(box, 2, each=unbooked)).run()
    assert box.read(order).state is OrderState.PAID
    assert lease.asked == 2


def test_a_holder_that_lost_its_lease_sends_no_mail(box: Cashbox, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(24)
    post = Post(box)

    class LostLease(FakeLease):
        def check(self, connection: Connection) -> None:
            self.is_held = False
            super().check(connection)

    reminding(box, LostLease(box.world.store), post, stopping=Rests(box, 3)).run()
    assert post.mails == []
    reminding(box, lease, post, stopping=Rests(box, 1)).run()
    assert len(post.mails) == 1


def test_a_provider_that_is_away_is_asked_again_by_the_same_holder(box: Cashbox, lease: FakeLease) -> None:
    order = box.order()
    box.provider.pay(session(order))
    left = [True, True]
    box.provider.away = lambda _call: bool(left) and left.pop()
    reconciler(box, lease, stopping=Rests(box, 3)).run()
    assert box.read(order).state is OrderState.PAID
    assert (lease.asked, lease.released) == (1, 1)


def test_what_fails_is_done_again_in_the_next_round_by_the_same_holder(box: Cashbox, lease: FakeLease) -> None:
    order = box.order()
    box.provider.pay(session(order))
    failures = [ValueError("a defect"), OperationalError("SELECT", {}, Exception("gone"))]

    def fails(_call: str) -> bool:
        if failures:
            raise failures.pop(0)
        return False

    box.provider.away = fails
    lease = FakeLease(box.world.store, [False, OperationalError("SELECT", {}, Exception("gone")), True])
    duty = reconciler(box, lease, stopping=Rests(box, 5))
    duty.run()
    assert box.read(order).state is OrderState.PAID
    assert (lease.asked, lease.released) == (3, 1)
    assert duty.failures == 2


def test_a_replica_has_both_duties_and_without_a_key_only_the_mails(tmp_path: Path) -> None:
    def named(stripe: StripeSettings) -> list[str]:
        settings = Settings(data_dir=tmp_path, stripe=stripe)
        found: list[Duty] = duties(settings)
        for duty in found:
            duty.close()
        return [type(duty).__name__ for duty in found]

    assert named(StripeSettings()) == ["Reminding"]
    assert named(StripeSettings.model_validate({"api_key": "sk_test_1"})) == ["Reminding", "Reconciler"]


SEVEN, ONE = "Your membership ends in 7 days or less", "Your membership ends tomorrow"


def test_a_member_is_told_seven_days_and_one_day_before_the_end_and_once_each(box: Cashbox, lease: FakeLease) -> None:
    order, post = box.bought(), Post(box)
    reminding(box, lease, post, stopping=Rests(box, 200, seconds=6 * 3600)).run()
    assert post.told() == [("2026-03-25", SEVEN), ("2026-03-31", ONE)]
    with box.world.store.reading() as connection:
        sent = connection.execute(select(reminders.c.days_before).where(reminders.c.sent_at.is_not(None))).scalars()
        assert sorted(sent) == [1, 7]
        email = connection.execute(select(users.c.email).where(users.c.id == order.member_id)).scalar_one()
    assert {mail.to for _, mail in post.mails} == {email}


def test_who_was_missed_for_days_is_told_the_latest_only(box: Cashbox, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(29)
    post = Post(box)
    reminding(box, lease, post, stopping=Rests(box, 5)).run()
    assert post.told() == [("2026-03-31", ONE)]


def test_nobody_is_told_after_the_end(box: Cashbox, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(31)
    post = Post(box)
    reminding(box, lease, post, stopping=Rests(box, 5, seconds=86_400)).run()
    assert post.mails == []


@pytest.mark.parametrize("column", ["reminders_off_at", "banned_at", "deleted_at", "disabled_at"])
def test_who_does_not_want_it_or_may_not_come_is_not_told(box: Cashbox, lease: FakeLease, column: str) -> None:
    order, other = box.bought(), box.bought()
    with box.world.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == order.member_id).values({column: START}))
    post = Post(box)
    reminding(box, lease, post, stopping=Rests(box, 40, seconds=86_400)).run()
    assert {mail.to for _, mail in post.mails} == {f"{other.member_id}@example.org"}
    assert len(post.mails) == 2


def test_who_is_suspended_is_not_told(box: Cashbox, lease: FakeLease) -> None:
    order = box.bought()
    box.handle(box.provider.dispute(session(order)))
    post = Post(box)
    reminding(box, lease, post, stopping=Rests(box, 40, seconds=86_400)).run()
    assert post.mails == []


def test_who_prolongs_is_told_of_the_new_end_and_no_more_of_the_old_one(box: Cashbox, lease: FakeLease) -> None:
    order, post = box.bought(), Post(box)

    def prolongs(number: int) -> None:
        if number == 24:
            box.bought(order.member_id)

    reminding(box, lease, post, stopping=Rests(box, 70, seconds=86_400, each=prolongs)).run()
    assert post.told() == [
        ("2026-03-25", SEVEN),
        ("2026-04-24", SEVEN),
        ("2026-04-30", ONE),
    ]
    assert "2026-05-01 is the first day without it" in post.mails[-1][1].text


def test_an_end_that_a_freeze_moves_is_told_of_where_it_is_then(box: Cashbox, lease: FakeLease) -> None:
    order, post = box.bought(), Post(box)
    with box.world.store.writing() as connection:
        who = BookingOrigin(order.member_id, "asked for")
        done = freeze(connection, order.member_id, 10, None, None, who, box.world.clock())
    assert not isinstance(done, MembershipRefusal)
    reminding(box, lease, post, stopping=Rests(box, 50, seconds=86_400)).run()
    assert post.told() == [("2026-04-04", SEVEN), ("2026-04-10", ONE)]


def test_while_mail_is_away_it_stays_due_and_is_sent_once_afterwards(box: Cashbox, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(24)
    post = Post(box)
    left = [True, True, True]
    post.away = lambda _mail: bool(left) and left.pop()

    def unclaimed(number: int) -> None:
        if number == 2:
            with box.world.store.reading() as connection:
                assert connection.execute(select(reminders)).all() == []

    reminding(box, lease, post, stopping=Rests(box, 6, each=unclaimed)).run()
    assert post.told() == [("2026-03-26", SEVEN)]
    assert (lease.asked, lease.released) == (1, 1)


def test_two_at_once_send_each_mail_once(box: Cashbox) -> None:
    member_ids: list[UUID] = [box.bought().member_id for _ in range(12)]
    box.days_pass(24)
    post, both = Post(box), threading.Barrier(2)
    keeping = threading.Lock()
    sending = post.send

    def send(mail: Mail) -> None:
        with keeping:
            sending(mail)

    post.send = send  # type: ignore[method-assign] # the same, for two threads

    def work() -> None:
        lease = FakeLease(box.world.store)
        lease.ask()
        both.wait()
        reminding(box, lease, post).work()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(mail.to for _, mail in post.mails) == sorted(f"{member_id}@example.org" for member_id in member_ids)


@pytest.mark.parametrize(("days", "when"), [(7, "in 7 days or less"), (1, "tomorrow")])
def test_the_mail_says_what_ends_when_and_what_to_do(days: int, when: str) -> None:
    reminder = Reminder(UUID(int=1), "2026-04-01", days, "mia@example.org", "Mia", "30 days")
    mail = mail_of(reminder, URL)
    assert (mail.to, mail.subject, mail.code) == ("mia@example.org", f"Your membership ends {when}", None)
    assert mail.text == (
        "Hello Mia,\n\n"
        f"your membership (30 days) ends {when}: 2026-04-01 is the first day without it.\n"
        "Whoever prolongs it before then loses no day: https://gym.example.org\n\n"
        "You can switch these mails off in your account.\n"
    )


def test_one_address_that_takes_no_mail_holds_up_no_other(box: Cashbox, lease: FakeLease) -> None:
    refused, other = box.bought(), box.bought()
    post = Post(box)
    post.away = lambda mail: mail.to == f"{refused.member_id}@example.org"
    reminding(box, lease, post, stopping=Rests(box, 40, seconds=86_400)).run()
    assert {mail.to for _, mail in post.mails} == {f"{other.member_id}@example.org"}


@pytest.mark.parametrize(
    "error", [MailRefusedError("550"), MailDeferredError("450"), ValueError("nobody has thought of that")]
)
def test_however_many_mails_cannot_be_delivered_those_behind_them_are_sent(
    box: Cashbox, lease: FakeLease, error: Exception
) -> None:
    undeliverable = {f"{box.bought().member_id}@example.org" for _ in range(5)}
    other = box.bought()
    box.days_pass(24)
    post = Post(box)
    tried: list[str] = []

    def refuses(mail: Mail) -> bool:
        if mail.to in undeliverable:
            tried.append(mail.to)
            raise error
        return False

    post.away = refuses
    reminding(box, lease, post, stopping=Rests(box, 3)).run()
    assert [mail.to for _, mail in post.mails] == [f"{other.member_id}@example.org"]
    rounds = 1 if isinstance(error, MailRefusedError) else 3
    assert sorted(tried) == sorted(list(undeliverable) * rounds), "one that is refused for good is not tried again"


def test_that_a_mail_was_refused_for_good_is_kept_and_the_next_one_is_tried(box: Cashbox, lease: FakeLease) -> None:
    box.bought()
    post = Post(box)

    def refuses(mail: Mail) -> bool:
        if mail.subject == SEVEN:
            raise MailRefusedError("550")
        return False

    post.away = refuses
    reminding(box, lease, post, stopping=Rests(box, 200, seconds=6 * 3600)).run()
    assert post.told() == [("2026-03-31", ONE)]
    with box.world.store.reading() as connection:
        rows = connection.execute(select(reminders).order_by(reminders.c.days_before.desc())).all()
    assert [(row.days_before, row.sent_at is None, row.refused_at is None) for row in rows] == [
        (7, True, False),
        (1, False, True),
    ]


def test_after_three_failures_in_a_row_the_rest_waits_for_the_next_round(box: Cashbox, lease: FakeLease) -> None:
    for _ in range(8):
        box.bought()
    box.days_pass(24)
    post = Post(box)
    failing = [True, True, False, *[True] * 3]  # two, one that goes, three

    post.away = lambda _mail: bool(failing) and failing.pop(0)
    waits: list[int] = []
    reminding(box, lease, post, stopping=Rests(box, 2, each=lambda _number: waits.append(len(post.mails)))).run()
    assert waits == [1, 8]


@pytest.mark.parametrize("answer", [MailRefusedError("550"), MailDeferredError("450")])
def test_a_server_that_answers_between_failures_has_not_failed_in_a_row(
    box: Cashbox, lease: FakeLease, answer: Exception
) -> None:
    for _ in range(6):
        box.bought()
    box.days_pass(24)
    post = Post(box)
    answers: list[Exception] = [
        MailUnavailableError("451"),
        answer,
        MailUnavailableError("451"),
        answer,
        MailUnavailableError("451"),
    ]

    def fails(_mail: Mail) -> bool:
        if answers:
            raise answers.pop(0)
        return False

    post.away = fails
    reminding(box, lease, post, stopping=Rests(box, 1)).run()
    assert len(post.mails) == 1


def test_due_reminders_are_read_in_parts_that_miss_none_and_repeat_none(
    box: Cashbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [box.bought().member_id for _ in range(7)]
    box.days_pass(24)
    monkeypatch.setattr("domain.memberships.reminder_repository._AT_ONCE", 3)
    sizes: list[int] = []

    @listens_for(box.world.store.engine, "before_cursor_execute")
    def bounded(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:  # noqa: ANN401 - the driver's
        if "FROM reminders" in statement:
            sizes.append(len(parameters))

    told: list[str] = []
    sent = send_reminders(box.world.store, lambda reminder: told.append(reminder.email), box.world.clock())
    remove(box.world.store.engine, "before_cursor_execute", bounded)
    assert sorted(told) == sorted(f"{member}@example.org" for member in members)
    assert sent == (7, 0, 0)
    assert max(sizes) == 3
