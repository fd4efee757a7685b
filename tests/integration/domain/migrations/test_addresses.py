"""The step that gives addresses one form and names a key to be searched by."""

from uuid import UUID

import pytest
from sqlalchemy import Connection, Insert, Table, column, insert, select, table

from domain.companies.tables import companies
from domain.gyms.tables import gyms
from domain.identity.email_addresses import CollidingAddressesError
from domain.identity.tables import users
from domain.ids import new_id
from domain.machines.tables import machines
from domain.migrations.run import bring_to, known_steps
from domain.text import search_key
from domain.unit_of_work import Store
from tests.world import START

_STEP = "0009"
_NOT_YET = {"search_name", "search_type"}


@pytest.fixture
def store(empty_store: Store) -> Store:
    """A store of each kind as it was before the step, with a machine in it."""
    before = known_steps().get_revision(_STEP).down_revision
    assert isinstance(before, str)
    with empty_store.writing() as connection:
        bring_to(connection, before)
    with empty_store.writing() as connection:
        _add_machine(connection)
    return empty_store


def _add_user(store: Store, number: int, email: str | None, name: str = "Mia") -> UUID:
    values = {"id": UUID(int=number), "email": email, "name": name, "created_at": START}
    with store.writing() as connection:
        connection.execute(_without_defaults(users).values(values))
    return UUID(int=number)


def _add_machine(connection: Connection) -> None:
    company, gym = new_id(), new_id()
    connection.execute(insert(companies).values(id=company, name="Gyms Ltd", created_at=START))
    connection.execute(
        insert(gyms).values(
            id=gym, legacy_number=1, company_id=company, name="Riverside", address="Quay 7", time_zone="UTC",
            capacity=9, grace_after_closing_s=0, longest_visit_s=9, version=1, created_at=START,
        )
    )  # fmt: skip
    connection.execute(
        _without_defaults(machines).values(
            id=new_id(), legacy_number=1, gym_id=gym, name="Rower", type="Ruderger\u00e4t", description="", version=1,
            created_at=START,
        )
    )  # fmt: skip


def migrate(store: Store) -> None:
    with store.writing() as connection:
        bring_to(connection, _STEP)


def kept(store: Store) -> list[tuple[str | None, str, str]]:
    with store.reading() as connection:
        rows = connection.execute(select(users.c.email, users.c.name, users.c.search_name).order_by(users.c.id))
        return [(row.email, row.name, row.search_name) for row in rows]


def test_addresses_get_their_form_and_names_their_keys(store: Store) -> None:
    for number, (email, name) in enumerate(
        (
            ("Mia@Example.org", "\u00d6zlem"),
            ("eve\u200b@example.org", "\u03a3\u03bf\u03c6\u03af\u03b1\u03c2"),
            ("mia@b\u00fccher.example", "Bookworm"),
            ("facebook_1", "Nobody"),
            (None, "None"),
        ),
        1,
    ):
        _add_user(store, number, email, name)
    migrate(store)
    assert kept(store) == [
        ("mia@example.org", "\u00d6zlem", "ozlem"),
        ("eve@example.org", "\u03a3\u03bf\u03c6\u03af\u03b1\u03c2", search_key("\u03c3\u03bf\u03c6\u03b9\u03b1\u03c3")),
        ("mia@xn--bcher-kva.example", "Bookworm", "bookworm"),
        (None, "Nobody", "nobody"),
        (None, "None", "none"),
    ]
    with store.reading() as connection:
        assert connection.execute(select(machines.c.search_type)).scalars().all() == ["rudergerat"]


def test_accounts_that_would_collide_stop_it_before_anything_is_changed(store: Store) -> None:
    other = _add_user(store, 3, "eve@example.org")
    first, second = _add_user(store, 1, "mia\u200b@example.org"), _add_user(store, 2, "mia@example.org")
    with pytest.raises(CollidingAddressesError, match=f"{first}, {second}\\.") as refused:
        migrate(store)
    assert str(other) not in str(refused.value)
    with store.writing() as connection:
        names = {row[0] for row in connection.exec_driver_sql("SELECT email FROM users")}
        assert names == {"eve@example.org", "mia\u200b@example.org", "mia@example.org"}
        connection.execute(users.update().where(users.c.id == first).values(email=None))
    migrate(store)
    assert [email for email, _, _ in kept(store)] == [None, "mia@example.org", "eve@example.org"]


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_it_is_run_again_after_it_was_cut_short(store: Store, monkeypatch: pytest.MonkeyPatch, cut_at: int) -> None:
    _add_user(store, 1, "Mia@example.org", "\u00d6zlem")
    _add_user(store, 2, "Eve@example.org", "Eve")
    calls = 0

    def fails(text: str) -> str:
        nonlocal calls
        calls += 1
        if calls == cut_at:
            raise ConnectionError("lost, says the test")
        return search_key(text)

    with monkeypatch.context() as patched:
        patched.setattr("domain.text.search_key", fails)
        with pytest.raises(ConnectionError):
            migrate(store)
    migrate(store)
    migrate(store)
    assert kept(store) == [("mia@example.org", "\u00d6zlem", "ozlem"), ("eve@example.org", "Eve", "eve")]


def _without_defaults(of: Table) -> Insert:
    """Into the columns that there were."""
    return insert(table(of.name, *(column(each.name, each.type) for each in of.columns if each.name not in _NOT_YET)))
