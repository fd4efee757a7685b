"""What steps of the migration do to rows that are there."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, column, event, insert, inspect, select, table, text

from cluster.local.mariadb import MariaDbServer
from domain.column_types import Id, Instant
from domain.companies.tables import companies
from domain.door.tables import visits
from domain.identity.tables import user_roles, users
from domain.ids import new_id
from domain.memberships.tables import ledger_entries, plans
from domain.migrations.run import bring_to, known_steps
from domain.payments.tables import invoices, orders, refunds
from domain.unit_of_work import Store
from tests.servers import fresh_database

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_MONEY_AND_ADDRESSES = "0007"
_USERS = table("users", column("id", Id()), column("email"), column("name"), column("created_at", Instant()))  # as then


@pytest.fixture
def store(empty_store: Store) -> Store:
    return empty_store


def test_addresses_that_cannot_be_used_become_null_and_nothing_else_of_a_user_changes(store: Store) -> None:
    emails = ["mia@example.org", "facebook_10158000000000000", "mia@localhost", f"deleted-{new_id()}@deleted.invalid"]
    with store.writing() as connection:
        bring_to(connection, _before(_MONEY_AND_ADDRESSES))
        for number, email in enumerate(emails):
            user_id = UUID(int=number + 1)
            connection.execute(insert(_USERS).values(id=user_id, email=email, name=f"User {number}", created_at=NOW))
            connection.execute(insert(user_roles).values(user_id=user_id, role="User"))
    with store.writing() as connection:
        bring_to(connection, _MONEY_AND_ADDRESSES)
    with store.writing() as connection:
        found = connection.execute(select(users.c.email, users.c.name).order_by(users.c.id)).all()
        assert [tuple(row) for row in found] == [
            *(("mia@example.org", "User 0"), (None, "User 1"), (None, "User 2"), (None, "User 3"))
        ]
        assert len(connection.execute(select(user_roles)).all()) == 4
        if connection.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        connection.execute(insert(_USERS).values(id=new_id(), email=None, name="New", created_at=NOW))


def test_shillings_of_plans_and_desks_become_hundredths_and_those_of_stripe_stay(store: Store) -> None:
    with store.writing() as connection:
        bring_to(connection, _before(_MONEY_AND_ADDRESSES))
        _sold(connection)
    with store.writing() as connection:
        bring_to(connection, _MONEY_AND_ADDRESSES)
    with store.reading() as connection:
        prices = {row.price_currency: row.price_amount for row in connection.execute(select(plans))}
        assert prices == {"UGX": 3_000_000, "EUR": 30_000}
        by_method = {
            (row.currency, row.method): (row.amount, row.refunded) for row in connection.execute(select(orders))
        }
        assert by_method == {
            ("UGX", "cash"): (3_000_000, 1_000_000),
            ("UGX", "stripe"): (30_000, 10_000),
            ("EUR", "cash"): (30_000, 10_000),
        }
        assert _amounts(connection, ledger_entries) == _amounts(connection, refunds) == [10_000, 10_000, 1_000_000]
        assert _amounts(connection, invoices) == [30_000, 30_000, 3_000_000]
        documents = [json.loads(row.document) for row in connection.execute(select(invoices))]
        assert sorted((each["gross"], each["net"], each["vat"]) for each in documents) == [
            *((30_000, 25_210, 4_790), (30_000, 25_210, 4_790), (3_000_000, 2_521_000, 479_000))
        ]
        assert {each["number"] for each in documents} == {"000001"}


def _before(revision: str) -> str:
    before = known_steps().get_revision(revision).down_revision
    assert isinstance(before, str)
    return before


def _amounts(connection: Connection, table: object) -> list[int]:
    return sorted(row.amount for row in connection.execute(select(table)))  # type: ignore[call-overload] # any table


def _sold(connection: Connection) -> None:
    company = new_id()
    connection.execute(insert(companies).values(id=company, name="Gyms Ltd", created_at=NOW))
    plan_ids = {"UGX": new_id(), "EUR": new_id()}
    for currency, plan_id in plan_ids.items():
        connection.execute(
            insert(plans).values(
                id=plan_id, company_id=company, name=currency, days=30, price_amount=30_000, price_currency=currency,
                grace_days=3, covers_all_gyms=True, created_at=NOW,
            )
        )  # fmt: skip
    for number, (currency, method) in enumerate((("UGX", "cash"), ("UGX", "stripe"), ("EUR", "cash")), 1):
        order = new_id()
        connection.execute(
            insert(orders).values(
                id=order, member_id=new_id(), company_id=company, plan_id=plan_ids[currency], plan_name="", days=30,
                amount=30_000, currency=currency, vat_rate_bp=1900, method=method, state="paid", refunded=10_000,
                created_at=NOW,
            )
        )  # fmt: skip
        connection.execute(
            insert(ledger_entries).values(
                id=new_id(), booking_id=new_id(), number=number, member_id=company, kind="refund", days=0, moves=False,
                amount=10_000, currency=currency, method=method, order_id=order, booked_on="2026-03-02", reason="",
                created_at=NOW,
            )
        )  # fmt: skip
        connection.execute(
            insert(refunds).values(
                id=new_id(), order_id=order, amount=10_000, state="succeeded", days=0, reason="", created_at=NOW
            )
        )
        document = {"number": "000001", "gross": 30_000, "net": 25_210, "vat": 4_790, "currency": currency}
        connection.execute(
            insert(invoices).values(
                id=new_id(), company_id=company, number=number, effect=str(order), kind="invoice", order_id=order,
                member_id=company, amount=30_000, currency=currency, document=json.dumps(document), issued_at=NOW,
            )
        )  # fmt: skip


def test_a_migration_that_is_cut_short_after_amounts_were_changed_is_run_again_without_changing_them_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writing() as connection:
        bring_to(connection, _before(_MONEY_AND_ADDRESSES))
        _sold(connection)
        connection.execute(insert(_USERS).values(id=new_id(), email="mia@example.org", name="Mia", created_at=NOW))

    def fails(_text: str | None) -> str | None:
        raise ConnectionError("lost, says the test")

    with monkeypatch.context() as patched:
        patched.setattr("domain.identity.email_addresses.usable_address", fails)
        with pytest.raises(ConnectionError), store.writing() as connection:
            bring_to(connection, _MONEY_AND_ADDRESSES)
    with store.writing() as connection:
        bring_to(connection, _MONEY_AND_ADDRESSES)
    with store.reading() as connection:
        prices = {row.price_currency: row.price_amount for row in connection.execute(select(plans))}
        assert prices == {"UGX": 3_000_000, "EUR": 30_000}
        assert _amounts(connection, invoices) == [30_000, 30_000, 3_000_000]


class _InterruptedError(Exception):
    """The connection is lost, says the test."""


@pytest.fixture(params=["sqlite", "mariadb"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Creates empty stores of each kind."""
    server: MariaDbServer | None = request.getfixturevalue("mariadb") if request.param == "mariadb" else None
    stores: list[Store] = []

    def create() -> Store:
        url = fresh_database(server) if server else f"sqlite:///{tmp_path / f'{len(stores)}.sqlite3'}"
        stores.append(Store(url))
        return stores[-1]

    yield create
    for store in stores:
        store.close()


@pytest.mark.parametrize("revision", ["0005", "0006", "0008"])
def test_a_migration_that_is_interrupted_after_any_statement_can_be_run_again(
    new_store: Callable[[], Store], revision: str
) -> None:
    whole = _before_with_visits(new_store(), revision)
    with whole.writing() as connection:
        bring_to(connection, revision)
    expected = _tables_and_visits(whole)
    for statements in count(1):
        store = _before_with_visits(new_store(), revision)
        if not _is_interrupted(store, revision, statements):
            break
        with store.writing() as connection:
            bring_to(connection, revision)
        assert _tables_and_visits(store) == expected, f"interrupted after {statements} statements"
    assert statements > 2


def _before_with_visits(store: Store, revision: str) -> Store:
    """Bring a store to the revision before, with visits that 0008 changes."""
    gym, later = UUID(int=1), NOW.replace(hour=13)
    ids = (column(name, Id()) for name in ("id", "gym_id", "left_scan"))
    times = (column(name, Instant()) for name in ("entered_at", "left_at"))
    before = table("visits", *ids, *times, column("inferred"))
    with store.writing() as connection:
        bring_to(connection, _before(revision))
        for number, (left_at, left_scan) in enumerate(
            ((later, None), (NOW.replace(hour=11), None), (NOW, UUID(int=9)))
        ):
            connection.execute(
                insert(before).values(
                    id=UUID(int=number), gym_id=gym, entered_at=NOW, left_at=left_at, left_scan=left_scan,
                    inferred=None if left_scan else "head_count",
                )
            )  # fmt: skip
    return store


def _is_interrupted(store: Store, revision: str, statements: int) -> bool:
    """Run a migration that fails after a number of statements that change something; False: it has fewer of them."""
    with _failing_after(store, statements), store.writing() as connection:
        try:
            bring_to(connection, revision)
        except _InterruptedError:
            connection.rollback()
            return True
    return False


@contextmanager
def _failing_after(store: Store, statements: int) -> Iterator[None]:
    executed = count(1)

    def fail(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        changes = statement.lstrip().partition(" ")[0].upper() in {
            "ALTER",
            "CREATE",
            "DROP",
            "INSERT",
            "UPDATE",
            "DELETE",
        }
        if changes and next(executed) == statements:
            raise _InterruptedError

    event.listen(store.engine, "after_cursor_execute", fail)
    yield
    event.remove(store.engine, "after_cursor_execute", fail)


def _tables_and_visits(store: Store) -> tuple[dict[str, Any], list[Any], set[str | None]]:
    inspector = inspect(store.engine)
    columns = {name: {each["name"] for each in inspector.get_columns(name)} for name in inspector.get_table_names()}
    names = sorted(columns["visits"])
    with store.reading() as connection:
        rows = connection.execute(select(*(visits.c[name] for name in names)).order_by(visits.c.id)).all()
    return columns, list(rows), {check["name"] for check in inspector.get_check_constraints("visits")}
