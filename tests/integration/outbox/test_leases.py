"""Leases: one holder at a time, by the database's clock, and no write without the lease. On both databases."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from threading import Event, Thread

import psutil
import pytest
from sqlalchemy import Connection, event, func, insert, literal_column, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from cluster.local.mariadb import MariaDbServer
from consumers.database import set_idle_session_timeout
from domain.leases import LeaseLostError, check_lease, give_back_lease, leases, renew_lease, take_lease
from domain.outbox import outbox
from domain.unit_of_work import Store
from integrations.lease import Lease
from tests.servers import migrated_database
from tests.waiting import wait_until
from tests.world import START

SHORT = timedelta(seconds=2)
AGES = timedelta(hours=1)  # no test waits for that

# Takes the lease, and writes a row for each line of its input.
HOLD = """
import sys
from datetime import timedelta
import structlog
from domain.leases import LeaseLostError
from domain.unit_of_work import Store
from integrations.lease import Lease
from tests.integration.outbox.test_leases import SHORT, make_effect
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
lease = Lease(Store(sys.argv[1], pool_size=1), "work", SHORT)
print("held" if lease.try_acquire() else "not held", flush=True)
for line in sys.stdin:
    try:
        make_effect(lease, line.strip())
        print("done", flush=True)
    except LeaseLostError:
        print("refused", flush=True)
"""


def make_effect(lease: Lease, name: str) -> None:
    with lease.store.writing() as connection:
        add_row(connection, name)


def add_row(connection: Connection, name: str) -> None:
    row = {"topic": "effects", "key": "work", "payload": name, "created_at": START}
    connection.execute(insert(outbox).values(row))


def effects(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(outbox.c.payload).order_by(outbox.c.id)).scalars())


class Holders:
    """Processes that want the lease, each with its own connections."""

    def __init__(self, url: str, ending: ExitStack) -> None:
        self.url = url
        self._ending = ending

    def store(self) -> Store:
        store = Store(self.url, pool_size=1, statement_timeout_s=1)
        self._ending.callback(store.close)
        return store

    def one(self, lasts: timedelta = AGES, name: str = "work", store: Store | None = None) -> Lease:
        lease = Lease(store or self.store(), name, lasts)
        self._ending.callback(lease.release)
        return lease

    def process(self) -> "subprocess.Popen[str]":
        """A holder of the lease in a process of its own."""
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._ending.enter_context(holder)
        self._ending.callback(holder.kill)
        assert said(holder) == "held"
        return holder


def said(holder: "subprocess.Popen[str]") -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def ask_for_effect(holder: "subprocess.Popen[str]", name: str) -> str:
    assert holder.stdin is not None
    holder.stdin.write(f"{name}\n")
    holder.stdin.flush()
    return said(holder)


@pytest.fixture
def holders(store_url: str) -> Iterator[Holders]:
    with ExitStack() as ending:
        yield Holders(store_url, ending)


@pytest.fixture
def on_mariadb(mariadb: MariaDbServer) -> Iterator[Holders]:
    with ExitStack() as ending:
        yield Holders(migrated_database(mariadb), ending)


def test_one_process_holds_the_lease_and_another_takes_it_once_it_is_released(holders: Holders) -> None:
    first, second = holders.one(), holders.one()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert (first.is_held, second.is_held) == (True, False)
    first.release()
    assert second.try_acquire()
    assert not first.try_acquire()
    assert (first.is_held, second.is_held) == (False, True)


def test_a_release_without_the_lease_changes_nothing(holders: Holders) -> None:
    first, second = holders.one(), holders.one()
    assert first.try_acquire()
    second.release()
    assert not second.try_acquire()
    make_effect(first, "first")


def test_different_names_are_different_leases(holders: Holders) -> None:
    work, other = holders.one(), holders.one(name="other")
    assert work.try_acquire()
    assert other.try_acquire()


def test_without_the_lease_no_unit_of_work_changes_anything(holders: Holders) -> None:
    lease = holders.one()
    with pytest.raises(LeaseLostError):
        make_effect(lease, "before")
    assert lease.try_acquire()
    make_effect(lease, "while it is held")
    lease.release()
    with pytest.raises(LeaseLostError):
        make_effect(lease, "after")
    assert effects(holders.store()) == ["while it is held"]


def test_the_fencing_number_rises_with_each_holder_and_an_old_one_is_invalid(holders: Holders) -> None:
    store = holders.store()
    with store.writing() as connection:
        assert take_lease(connection, "work", "first", timedelta(0)) == 1  # it expires at once
    with store.writing() as connection:
        assert take_lease(connection, "work", "second", AGES) == 2
    with store.writing() as connection:
        assert take_lease(connection, "work", "third", AGES) is None
        give_back_lease(connection, "work", 1)
        assert not renew_lease(connection, "work", 1, AGES)
        check_lease(connection, "work", 2)
        with pytest.raises(LeaseLostError):
            check_lease(connection, "work", 1)


def test_an_expired_lease_is_invalid_and_not_renewed_even_if_nobody_took_it(holders: Holders) -> None:
    with holders.store().writing() as connection:
        assert take_lease(connection, "work", "first", timedelta(0)) == 1
        with pytest.raises(LeaseLostError):
            check_lease(connection, "work", 1)
        assert not renew_lease(connection, "work", 1, AGES)


def test_a_lease_expires_by_the_clock_of_the_database(holders: Holders) -> None:
    lease = holders.one(AGES)
    assert lease.try_acquire()
    with lease.store.reading() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        left = (
            "(julianday(expires_at) - julianday('now')) * 86400"
            if is_sqlite
            else "TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), expires_at)"
        )
        seconds: float = connection.execute(select(literal_column(left)).select_from(leases)).scalar_one()
    assert -1 < AGES.total_seconds() - seconds < 600  # the days of SQLite are floats


def test_a_lease_is_renewed_while_its_holder_lives(holders: Holders) -> None:
    first, second = holders.one(SHORT), holders.one(SHORT)
    assert first.try_acquire()
    seen = set()

    def renewed_thrice() -> bool:
        assert not second.try_acquire()
        with second.store.reading() as connection:
            seen.add(connection.execute(select(leases.c.expires_at)).scalar_one())
        return len(seen) > 3

    wait_until(renewed_thrice)
    make_effect(first, "first")
    with second.store.reading() as connection:
        assert connection.execute(select(leases.c.number)).scalar_one() == 1


def test_a_holder_that_is_killed_is_replaced_once_its_lease_has_expired(holders: Holders) -> None:
    holder, other = holders.process(), holders.one(SHORT)
    assert not other.try_acquire()
    holder.kill()
    wait_until(other.try_acquire)
    make_effect(other, "other")


def test_a_suspended_holder_is_replaced_and_cannot_write_afterwards(holders: Holders) -> None:
    holder, other = holders.process(), holders.one()
    assert ask_for_effect(holder, "holder") == "done"
    psutil.Process(holder.pid).suspend()
    wait_until(other.try_acquire)
    psutil.Process(holder.pid).resume()
    assert ask_for_effect(holder, "holder, too late") == "refused"
    make_effect(other, "other")
    assert effects(holders.store()) == ["holder", "other"]


def test_a_holder_whose_renewals_fail_knows_that_it_lost_the_lease(holders: Holders) -> None:
    store = holders.store()
    lease = holders.one(SHORT, store=store)
    assert lease.try_acquire()

    @event.listens_for(store.engine, "before_cursor_execute")
    def unavailable(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        raise OperationalError(statement, {}, OSError("unavailable"))

    wait_until(lambda: not lease.is_held)
    lease.release()  # which cannot be written down, and raises nothing
    wait_until(holders.one().try_acquire)


def test_a_lease_without_a_renewal_thread_is_released(holders: Holders, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    lease, other = holders.one(), holders.one()
    with monkeypatch.context() as without_threads:
        without_threads.setattr(Thread, "start", too_many)
        with pytest.raises(RuntimeError):
            lease.try_acquire()
    lease.release()
    assert other.try_acquire()
    other.release()
    assert lease.try_acquire()


def test_holders_with_pauses_and_lost_connections_never_interleave_their_writes(holders: Holders) -> None:
    """Each row has the fencing number of its writer: none is followed by a smaller one."""
    stores, ended = [holders.store() for _ in range(3)], Event()
    takers = [Thread(target=work_carelessly, args=(store, n, ended)) for n, store in enumerate(stores)]
    for taker in takers:
        taker.start()
    watching, dice = holders.store(), random.Random(7)  # noqa: S311 - of a test
    while int((effects(watching) or ["0"])[-1]) < 8:
        kill_one(watching, dice)
        time.sleep(0.1)
    ended.set()
    for taker in takers:
        taker.join()
    numbers = [int(number) for number in effects(watching)]
    assert numbers == sorted(numbers)


def work_carelessly(store: Store, seed: int, ended: Event) -> None:
    """Take a lease of 50 ms, never renew it, pause before and within each write, and repeat."""
    dice = random.Random(seed)  # noqa: S311 - of a test
    number: int | None = None
    while not ended.is_set():
        try:
            if number is None:
                with store.writing() as connection:
                    number = take_lease(connection, "work", f"{seed}", timedelta(milliseconds=50))
            else:
                time.sleep(dice.uniform(0, 0.04))
                with store.writing() as connection:
                    check_lease(connection, "work", number)
                    time.sleep(dice.uniform(0, 0.04))
                    add_row(connection, str(number))
        except LeaseLostError:
            number = None
        except DBAPIError:
            continue  # the connection is gone, or a lock was not to be had; the number may be good still
        time.sleep(0.001)


def kill_one(store: Store, dice: random.Random) -> None:
    """Let the server close a connection of another holder, if there is a server."""
    with store.reading() as connection:
        if connection.dialect.name == "sqlite":
            return
        others = connection.execute(
            text("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        ).scalars()
        if found := list(others):
            try:
                connection.execute(text(f"KILL {dice.choice(found)}"))
            except OperationalError:
                return  # it has gone by itself


def test_a_holder_whose_connections_are_closed_by_the_server_keeps_the_lease(on_mariadb: Holders) -> None:
    first, second = on_mariadb.one(), on_mariadb.one()
    assert first.try_acquire()
    with first.store.reading() as connection:
        number = connection.execute(select(func.connection_id())).scalar_one()
    with second.store.reading() as connection:
        connection.execute(text(f"KILL {number}"))
    assert not second.try_acquire()
    with pytest.raises(DBAPIError):
        make_effect(first, "lost with its connection")
    make_effect(first, "first")
    assert effects(on_mariadb.store()) == ["first"]


def test_a_lease_is_not_taken_during_a_transaction_of_its_holder(on_mariadb: Holders) -> None:
    expiring, second = on_mariadb.store(), on_mariadb.one()
    with expiring.writing() as connection:
        number = take_lease(connection, "work", "first", timedelta(milliseconds=500))
    assert number is not None
    with expiring.writing() as connection:
        check_lease(connection, "work", number)
        wait_until(lambda: lock_times_out(second.try_acquire))
        add_row(connection, "first")
    assert second.try_acquire()
    make_effect(second, "second")
    assert effects(on_mariadb.store()) == ["first", "second"]


def lock_times_out(ask: Callable[[], bool]) -> bool:
    """Whether an attempt to take an expired lease waits for the lock of its row."""
    try:
        assert not ask()
    except OperationalError as error:
        return error.orig is not None and error.orig.args[0] == 1205
    return False


def test_the_server_ends_a_holder_that_freezes_within_a_transaction(on_mariadb: Holders) -> None:
    store, second = on_mariadb.store(), on_mariadb.one()
    set_idle_session_timeout(store.engine, 2)
    with store.writing() as connection:
        number = take_lease(connection, "work", "first", timedelta(milliseconds=500))
    assert number is not None

    def taken() -> bool:
        try:
            return second.try_acquire()
        except OperationalError:
            return False

    def freeze_within_the_effect() -> None:
        with store.writing() as connection:
            check_lease(connection, "work", number)
            add_row(connection, "first")
            wait_until(taken)

    with pytest.raises(DBAPIError):
        freeze_within_the_effect()
    make_effect(second, "second")
    assert effects(on_mariadb.store()) == ["second"]


def test_when_two_take_a_new_lease_at_the_same_time_one_holds_it(on_mariadb: Holders) -> None:
    lease, quicker = on_mariadb.one(), on_mariadb.store()

    @event.listens_for(lease.store.engine, "before_cursor_execute")
    def be_quicker(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO leases"):
            with quicker.writing() as connection:
                assert take_lease(connection, "work", "quicker", AGES) == 1

    assert not lease.try_acquire()
    assert not lease.is_held
