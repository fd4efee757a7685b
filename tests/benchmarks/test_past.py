"""A past is what it claims to be: a small one, on MariaDB, compared with the rules of the door's tables."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, inspect, select, text

from cluster.load.past_visits import Past, WrittenPast, member_at, some_members, write_past
from cluster.load.seeding import WorldSpec, seed
from cluster.load.world import MemberKind, World
from cluster.local.mariadb import MariaDbServer
from domain.door.reconcile import disagreements
from domain.door.tables import open_visits, scans, visits
from domain.identity.tables import users
from domain.memberships.tables import memberships
from domain.migrations.run import upgrade
from domain.unit_of_work import Store
from tests.servers import fresh_database

pytestmark = pytest.mark.soak("tools")

NOW = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)
SPEC = WorldSpec("Bench", [500] * 3, 0, 16, run="past")
PAST = Past(members=20_000, visits=40_000, scanned=25_000)


@pytest.fixture(scope="module")
def past(mariadb: MariaDbServer) -> Iterator[tuple[Store, World, WrittenPast, set[str]]]:
    url = fresh_database(mariadb)
    store = Store(url)
    upgrade(url)
    indexes = _indexes(store)
    world = seed(store, SPEC, NOW)
    yield store, world, write_past(url, world, PAST, NOW), indexes
    store.close()


@pytest.fixture
def connection(past: tuple[Store, World, WrittenPast, set[str]]) -> Iterator[Connection]:
    with past[0].reading() as connection:
        yield connection


def test_the_past_has_the_requested_size(
    past: tuple[Store, World, WrittenPast, set[str]], connection: Connection
) -> None:
    assert past[2].rows == {"members": 20_000, "visits": 40_000, "scans": 50_000}
    counted = [connection.execute(select(func.count()).select_from(table)).scalar() for table in (users, visits, scans)]
    assert counted == [20_000, 40_000, 50_000]


def test_the_indexes_are_those_that_were_there(past: tuple[Store, World, WrittenPast, set[str]]) -> None:
    assert _indexes(past[0]) == past[3]
    assert len(past[3]) == 6


def test_a_member_can_be_told_without_being_read(connection: Connection) -> None:
    drawn = (*some_members(PAST, 500, seed=3), member_at(0), member_at(19_999))
    rows = connection.execute(
        select(users.c.id, users.c.name, users.c.banned_at, memberships.c.ends_at)
        .outerjoin(memberships, memberships.c.member_id == users.c.id)
        .where(users.c.id.in_([member.id for member in drawn]))
    ).all()
    found = {row.id: (row.name, _kind(row.banned_at, row.ends_at)) for row in rows}
    assert found == {member.id: (member.name, member.kind) for member in drawn}


def test_every_visit_is_of_a_member_and_lies_in_the_past(
    past: tuple[Store, World, WrittenPast, set[str]], connection: Connection
) -> None:
    strangers = select(func.count()).select_from(visits).outerjoin(users, users.c.id == visits.c.member_id)
    assert connection.execute(strangers.where(users.c.id.is_(None))).scalar() == 0
    first, last, shortest = connection.execute(
        select(
            func.min(visits.c.entered_at),
            func.max(visits.c.left_at),
            func.min(func.timestampdiff(text("MINUTE"), visits.c.entered_at, visits.c.left_at)),
        )
    ).one()
    assert NOW - timedelta(days=731) < first < NOW - timedelta(days=700)
    assert last < NOW - timedelta(hours=2)
    assert shortest >= 45
    by_gym = connection.execute(select(visits.c.gym_id, func.count()).group_by(visits.c.gym_id)).all()
    assert {row[0] for row in by_gym} == set(past[1].gym_ids)
    assert connection.execute(select(func.count()).select_from(open_visits)).scalar() == 0


def test_the_door_s_tables_agree_about_the_visits_that_have_scans(connection: Connection) -> None:
    found = disagreements(connection)
    assert len(found) == PAST.visits - PAST.scanned
    assert {each.kind for each in found} == {"visit_without_entry"}


def test_the_door_s_tables_agree_where_every_visit_has_scans(mariadb: MariaDbServer) -> None:
    url = fresh_database(mariadb)
    upgrade(url)
    store = Store(url)
    world = seed(store, SPEC, NOW)
    assert write_past(url, world, Past(2000, 3000, 3000), NOW).rows == {"members": 2000, "visits": 3000, "scans": 6000}
    with store.reading() as connection:
        assert disagreements(connection) == []
    store.close()


def _kind(banned_at: datetime | None, ends_at: datetime | None) -> MemberKind:
    if ends_at is None:
        return MemberKind.NO_MEMBERSHIP
    if banned_at is not None:
        return MemberKind.BANNED
    return MemberKind.ENDED if ends_at < NOW else MemberKind.ADMITTED


def _indexes(store: Store) -> set[str]:
    looked = inspect(store.engine)
    return {
        f"{table} {index['name']} {index['column_names']} {index['unique']}"
        for table in ("visits", "scans")
        for index in looked.get_indexes(table)
    }
