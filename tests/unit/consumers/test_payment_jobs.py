"""Reconciliation and reminders: run by the holder of the lease, at an interval, and again after any failure."""

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

from consumers.payment_deployment import payment_jobs
from consumers.periodic_jobs import (
    FAILURE_RETRY_S,
    LEASE_DURATION,
    LEASE_RETRY_S,
    ReconciliationJob,
    ReminderJob,
    reminder_mail,
)
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
from tests.integration.domain.payments.payments_world import PaymentsWorld, session
from tests.stores import sqlite_store
from tests.unit.consumers.leases import FakeLease
from tests.world import START, World

INTERVAL_S = 120.0
UNCHECKED_FOR = timedelta(seconds=60)
URL = "https://gym.example.org"


class Pauses(Event):
    """Stops the thread after a number of pauses. Each moves the world's clock."""

    def __init__(
        self, box: PaymentsWorld, pauses: int, seconds: float = INTERVAL_S, each: Callable[[int], None] | None = None
    ) -> None:
        super().__init__()
        self._box = box
        self._seconds = seconds
        self._each = each or (lambda _number: None)
        self._left = pauses
        self.number = 0
        self.timeouts: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout in {INTERVAL_S, LEASE_RETRY_S}
        self.timeouts.append(timeout)
        self._box.world.clock.forward(self._seconds)
        self.number += 1
        self._each(self.number)
        if self.number == self._left:
            self.set()
        return self.is_set()


@dataclass
class Post:
    """A mailer that keeps the mails, each with its day."""

    box: PaymentsWorld
    mails: list[tuple[date, Mail]] = field(default_factory=list)
    fails: Callable[[Mail], bool] = lambda _mail: False

    def send(self, mail: Mail) -> None:
        if self.fails(mail):
            raise MailUnavailableError("unavailable, says the test")
        self.mails.append((self.box.world.clock().date(), mail))

    def sent(self) -> list[tuple[str, str]]:
        """Days and subjects of the mails."""
        return [(day.isoformat(), mail.subject) for day, mail in self.mails]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[PaymentsWorld]:
    store = sqlite_store(tmp_path)
    box = PaymentsWorld(World(store))
    yield box
    box.handler.close()
    store.close()


@pytest.fixture
def lease(box: PaymentsWorld) -> FakeLease:
    return FakeLease(box.world.store)


def reconciler(box: PaymentsWorld, lease: FakeLease, **others: Any) -> ReconciliationJob:  # noqa: ANN401 - of the job
    return ReconciliationJob(lease, box.provider, UNCHECKED_FOR, INTERVAL_S, box.world.clock, **others)


def reminding(box: PaymentsWorld, lease: FakeLease, post: Post, **others: Any) -> ReminderJob:  # noqa: ANN401 - as above
    return ReminderJob(lease, post, URL, INTERVAL_S, box.world.clock, **others)


def test_a_missed_payment_is_handled_in_the_next_run(box: PaymentsWorld, lease: FakeLease) -> None:
    order = box.order()

    def pays(number: int) -> None:
        if number == 1:
            box.provider.pay(session(order))

    reconciler(box, lease, stopping=Pauses(box, 4, each=pays)).run()
    assert box.read(order).state is OrderState.PAID
    assert box.provider.calls["happened_since"] == 4
    assert (lease.attempts, lease.releases) == (1, 1)


def test_an_open_order_that_was_just_checked_is_skipped(box: PaymentsWorld, lease: FakeLease) -> None:
    box.order()
    reconciler(box, lease, stopping=Pauses(box, 3, seconds=30)).run()
    assert box.provider.calls["checkout"] == 1, "after a minute, and not again within one"


def test_without_the_lease_neither_provider_nor_mail_server_is_called(box: PaymentsWorld) -> None:
    box.provider.pay(session(box.order()))
    post, lease = Post(box), FakeLease(box.world.store, [False])
    box.provider.calls.clear()
    reconciler(box, lease, stopping=Pauses(box, 3)).run()
    reminding(box, lease, post, stopping=Pauses(box, 40, seconds=86_400)).run()
    assert not box.provider.calls
    assert post.mails == []
    assert lease.attempts == 43


def test_of_two_jobs_only_the_holder_of_the_lease_runs_and_the_other_takes_over(box: PaymentsWorld) -> None:
    order = box.order()
    box.provider.pay(session(order))
    box.provider.calls.clear()
    first, second = (Lease(box.world.store, "reconciler", LEASE_DURATION) for _ in range(2))
    assert first.try_acquire()

    def lets_go(number: int) -> None:
        if number == 2:
            assert not box.provider.calls
            first.release()

    ReconciliationJob(
        second, box.provider, UNCHECKED_FOR, INTERVAL_S, box.world.clock, stopping=Pauses(box, 3, each=lets_go)
    ).run()
    assert box.provider.calls["happened_since"] == 1
    assert box.read(order).state is OrderState.PAID
    assert first.try_acquire(), "it was given back"
    first.release()


def test_a_holder_suspended_past_its_lease_changes_nothing_and_takes_the_lease_again(
    box: PaymentsWorld, lease: FakeLease
) -> None:
    order = box.order()
    box.provider.pay(session(order))
    frozen = [True]

    def freezes(_call: str) -> bool:
        lease.is_held = not (frozen and frozen.pop())  # during the call to the provider
        return False

    def unbooked(number: int) -> None:
        if number == 1:
            assert box.read(order).state is OrderState.OPEN

    box.provider.away = freezes
    reconciler(box, lease, stopping=Pauses(box, 2, each=unbooked)).run()
    assert box.read(order).state is OrderState.PAID
    assert lease.attempts == 2


def test_a_holder_that_lost_its_lease_sends_no_mail(box: PaymentsWorld, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(24)
    post = Post(box)

    class LostLease(FakeLease):
        def check(self, connection: Connection) -> None:
            self.is_held = False
            super().check(connection)

    reminding(box, LostLease(box.world.store), post, stopping=Pauses(box, 3)).run()
    assert post.mails == []
    reminding(box, lease, post, stopping=Pauses(box, 1)).run()
    assert len(post.mails) == 1


def test_an_unavailable_provider_is_retried_by_the_same_holder(box: PaymentsWorld, lease: FakeLease) -> None:
    order = box.order()
    box.provider.pay(session(order))
    left = [True, True]
    box.provider.away = lambda _call: bool(left) and left.pop()
    reconciler(box, lease, stopping=Pauses(box, 3)).run()
    assert box.read(order).state is OrderState.PAID
    assert (lease.attempts, lease.releases) == (1, 1)


def test_a_run_that_an_outage_postpones_is_retried_after_seconds(box: PaymentsWorld, lease: FakeLease) -> None:
    pauses = Pauses(box, 4)
    box.provider.away = lambda _call: pauses.number < 2
    reconciler(box, lease, stopping=pauses).run()
    assert pauses.timeouts == [FAILURE_RETRY_S, FAILURE_RETRY_S, INTERVAL_S, INTERVAL_S]
    assert (lease.attempts, lease.releases) == (1, 1), "other replicas have the same outage"


def test_failed_work_is_retried_in_the_next_run_by_the_same_holder(box: PaymentsWorld, lease: FakeLease) -> None:
    order = box.order()
    box.provider.pay(session(order))
    failures = [ValueError("a defect"), OperationalError("SELECT", {}, Exception("gone"))]

    def fails(_call: str) -> bool:
        if failures:
            raise failures.pop(0)
        return False

    box.provider.away = fails
    lease = FakeLease(box.world.store, [False, OperationalError("SELECT", {}, Exception("gone")), True])
    job = reconciler(box, lease, stopping=Pauses(box, 5))
    job.run()
    assert box.read(order).state is OrderState.PAID
    assert (lease.attempts, lease.releases) == (3, 1)
    assert job.failures == 2


def test_a_replica_has_both_jobs_and_without_a_key_only_the_reminders(tmp_path: Path) -> None:
    def named(stripe: StripeSettings) -> list[str]:
        settings = Settings(data_dir=tmp_path, stripe=stripe)
        jobs = payment_jobs(settings)
        for job in jobs.values():
            job.close()
        return list(jobs)

    assert named(StripeSettings()) == ["reminders"]
    assert named(StripeSettings.model_validate({"api_key": "sk_test_1"})) == ["reminders", "reconciler"]


SEVEN, ONE = "Your membership ends in 7 days or less", "Your membership ends tomorrow"


def test_a_member_gets_one_mail_seven_days_and_one_mail_one_day_before_the_end(
    box: PaymentsWorld, lease: FakeLease
) -> None:
    order, post = box.bought(), Post(box)
    reminding(box, lease, post, stopping=Pauses(box, 200, seconds=6 * 3600)).run()
    assert post.sent() == [("2026-03-25", SEVEN), ("2026-03-31", ONE)]
    with box.world.store.reading() as connection:
        sent = connection.execute(select(reminders.c.days_before).where(reminders.c.sent_at.is_not(None))).scalars()
        assert sorted(sent) == [1, 7]
        email = connection.execute(select(users.c.email).where(users.c.id == order.member_id)).scalar_one()
    assert {mail.to for _, mail in post.mails} == {email}


def test_a_member_who_was_missed_for_days_gets_the_latest_mail_only(box: PaymentsWorld, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(29)
    post = Post(box)
    reminding(box, lease, post, stopping=Pauses(box, 5)).run()
    assert post.sent() == [("2026-03-31", ONE)]


def test_no_mail_is_sent_after_the_end(box: PaymentsWorld, lease: FakeLease) -> None:
    box.bought()
    box.days_pass(31)
    post = Post(box)
    reminding(box, lease, post, stopping=Pauses(box, 5, seconds=86_400)).run()
    assert post.mails == []


@pytest.mark.parametrize("column", ["reminders_off_at", "banned_at", "deleted_at", "disabled_at"])
def test_members_who_opted_out_or_cannot_come_get_no_mail(box: PaymentsWorld, lease: FakeLease, column: str) -> None:
    order, other = box.bought(), box.bought()
    with box.world.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == order.member_id).values({column: START}))
    post = Post(box)
    reminding(box, lease, post, stopping=Pauses(box, 40, seconds=86_400)).run()
    assert {mail.to for _, mail in post.mails} == {f"{other.member_id}@example.org"}
    assert len(post.mails) == 2


def test_suspended_members_get_no_mail(box: PaymentsWorld, lease: FakeLease) -> None:
    order = box.bought()
    box.handle(box.provider.dispute(session(order)))
    post = Post(box)
    reminding(box, lease, post, stopping=Pauses(box, 40, seconds=86_400)).run()
    assert post.mails == []


def test_after_an_extension_mails_are_about_the_new_end_only(box: PaymentsWorld, lease: FakeLease) -> None:
    order, post = box.bought(), Post(box)

    def prolongs(number: int) -> None:
        if number == 24:
            box.bought(order.member_id)

    reminding(box, lease, post, stopping=Pauses(box, 70, seconds=86_400, each=prolongs)).run()
    assert post.sent() == [
        ("2026-03-25", SEVEN),
        ("2026-04-24", SEVEN),
        ("2026-04-30", ONE),
    ]
    assert "2026-05-01 is the first day without it" in post.mails[-1][1].text


def test_after_a_freeze_mails_are_about_the_moved_end(box: PaymentsWorld, lease: FakeLease) -> None:
    order, post = box.bought(), Post(box)
    with box.world.store.writing() as connection:
        who = BookingOrigin(order.member_id, "asked for")
        done = freeze(connection, order.member_id, 10, None, None, who, box.world.clock())
    assert not isinstance(done, MembershipRefusal)
    reminding(box, lease, post, stopping=Pauses(box, 50, seconds=86_400)).run()
    assert post.sent() == [("2026-04-04", SEVEN), ("2026-04-10", ONE)]


def test_while_the_mail_server_is_unavailable_mails_stay_due_and_are_sent_once_afterwards(
    box: PaymentsWorld, lease: FakeLease
) -> None:
    box.bought()
    box.days_pass(24)
    post = Post(box)
    left = [True, True, True]
    post.fails = lambda _mail: bool(left) and left.pop()

    def unclaimed(number: int) -> None:
        if number == 2:
            with box.world.store.reading() as connection:
                assert connection.execute(select(reminders)).all() == []

    reminding(box, lease, post, stopping=Pauses(box, 6, each=unclaimed)).run()
    assert post.sent() == [("2026-03-26", SEVEN)]
    assert (lease.attempts, lease.releases) == (1, 1)


def test_two_at_once_send_each_mail_once(box: PaymentsWorld) -> None:
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
        lease.try_acquire()
        both.wait()
        reminding(box, lease, post).run_once()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(mail.to for _, mail in post.mails) == sorted(f"{member_id}@example.org" for member_id in member_ids)


@pytest.mark.parametrize(("days", "when"), [(7, "in 7 days or less"), (1, "tomorrow")])
def test_the_mail_says_what_ends_when_and_what_to_do(days: int, when: str) -> None:
    reminder = Reminder(UUID(int=1), "2026-04-01", days, "mia@example.org", "Mia", "30 days")
    mail = reminder_mail(reminder, URL)
    assert (mail.to, mail.subject, mail.code) == ("mia@example.org", f"Your membership ends {when}", None)
    assert mail.text == (
        "Hello Mia,\n\n"
        f"your membership (30 days) ends {when}. 2026-04-01 is the first day without it.\n"
        "If you extend it before then, you lose no day: https://gym.example.org\n\n"
        "You can turn off these emails in your account.\n"
    )


def test_one_address_that_accepts_no_mail_blocks_no_other(box: PaymentsWorld, lease: FakeLease) -> None:
    refused, other = box.bought(), box.bought()
    post = Post(box)
    post.fails = lambda mail: mail.to == f"{refused.member_id}@example.org"
    reminding(box, lease, post, stopping=Pauses(box, 40, seconds=86_400)).run()
    assert {mail.to for _, mail in post.mails} == {f"{other.member_id}@example.org"}


@pytest.mark.parametrize(
    "error", [MailRefusedError("550"), MailDeferredError("450"), ValueError("an unexpected failure")]
)
def test_undeliverable_mails_do_not_block_the_mails_behind_them(
    box: PaymentsWorld, lease: FakeLease, error: Exception
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

    post.fails = refuses
    reminding(box, lease, post, stopping=Pauses(box, 3)).run()
    assert [mail.to for _, mail in post.mails] == [f"{other.member_id}@example.org"]
    rounds = 1 if isinstance(error, MailRefusedError) else 3
    assert sorted(tried) == sorted(list(undeliverable) * rounds), "one that is refused for good is not tried again"


def test_a_permanent_refusal_is_recorded_and_the_next_mail_is_tried(box: PaymentsWorld, lease: FakeLease) -> None:
    box.bought()
    post = Post(box)

    def refuses(mail: Mail) -> bool:
        if mail.subject == SEVEN:
            raise MailRefusedError("550")
        return False

    post.fails = refuses
    reminding(box, lease, post, stopping=Pauses(box, 200, seconds=6 * 3600)).run()
    assert post.sent() == [("2026-03-31", ONE)]
    with box.world.store.reading() as connection:
        rows = connection.execute(select(reminders).order_by(reminders.c.days_before.desc())).all()
    assert [(row.days_before, row.sent_at is None, row.refused_at is None) for row in rows] == [
        (7, True, False),
        (1, False, True),
    ]


def test_after_three_failures_in_a_row_the_rest_waits_for_the_next_run(box: PaymentsWorld, lease: FakeLease) -> None:
    for _ in range(8):
        box.bought()
    box.days_pass(24)
    post = Post(box)
    failing = [True, True, False, *[True] * 3]  # two, one that goes, three

    post.fails = lambda _mail: bool(failing) and failing.pop(0)
    waits: list[int] = []
    reminding(box, lease, post, stopping=Pauses(box, 2, each=lambda _number: waits.append(len(post.mails)))).run()
    assert waits == [1, 8]


@pytest.mark.parametrize("answer", [MailRefusedError("550"), MailDeferredError("450")])
def test_a_server_that_answers_between_failures_has_not_failed_in_a_row(
    box: PaymentsWorld, lease: FakeLease, answer: Exception
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

    post.fails = fails
    reminding(box, lease, post, stopping=Pauses(box, 1)).run()
    assert len(post.mails) == 1


def test_due_reminders_are_read_in_parts_that_miss_none_and_repeat_none(
    box: PaymentsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [box.bought().member_id for _ in range(7)]
    box.days_pass(24)
    monkeypatch.setattr("domain.memberships.reminder_repository._AT_ONCE", 3)
    sizes: list[int] = []

    @listens_for(box.world.store.engine, "before_cursor_execute")
    def bounded(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:  # noqa: ANN401 - the driver's
        if "FROM reminders" in statement:
            sizes.append(len(parameters))

    emails: list[str] = []
    sent = send_reminders(box.world.store, lambda reminder: emails.append(reminder.email), box.world.clock())
    remove(box.world.store.engine, "before_cursor_execute", bounded)
    assert sorted(emails) == sorted(f"{member}@example.org" for member in members)
    assert sent == (7, 0, 0)
    assert max(sizes) == 3
