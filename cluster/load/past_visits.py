"""Generates members with years of visits and scans, written by MariaDB itself.

Every row is a function of its number, which MariaDB's sequence engine counts: nothing is sent, and any row is known
without being read. Rows are written in the order of their keys into tables without secondary indexes, which are then
built by sorting. That takes a fraction of the time of keeping them up row by row.
"""
# ruff: noqa: S608 - nothing that somebody else wrote goes into these statements

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from itertools import takewhile
from random import Random
from threading import Event
from uuid import UUID

import pymysql
from sqlalchemy import make_url

from cluster.deferred_indexes import drop_indexes
from cluster.load.seeding import ACTIVE_DAYS, ENDED_DAYS
from cluster.load.world import BENCHMARK_SHARES, Member, MemberKind, World, kind_at

_ROWS_AT_ONCE = 500_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=730)  # over which the visits are spread
_STAY = timedelta(hours=1)
_BEFORE_NOW = timedelta(hours=3)
_MEMBER_FROM_MS = 1_600_000_000_000  # members' ids are those of accounts made one a millisecond in September 2020
_KINDS_PERIOD = 1000  # `kind_at` repeats


@dataclass(frozen=True, slots=True)
class Past:
    """What to write.

    Args:
        members: how many in all.
        visits: of all of them together, spread evenly over two years and at random over members.
        scanned: the latest so many visits have their two scans.
    """

    members: int
    visits: int
    scanned: int


@dataclass(frozen=True, slots=True)
class WrittenPast:
    """How many rows were written, by what they are, and how long it took."""

    rows: dict[str, int]
    seconds: float


def member_at(place: int) -> Member:
    """The member at a place, counted from 0."""
    return Member(_id(_MEMBER_FROM_MS + place, str(place)), f"Bench {place:07}", kind_at(place, BENCHMARK_SHARES))


def some_members(past: Past, number: int, seed: int) -> tuple[Member, ...]:
    """Members drawn at random from all."""
    places = Random(seed).sample(range(past.members), number)  # noqa: S311 - chooses whom to measure
    return tuple(member_at(place) for place in places)


def write_past(url: str, world: World, past: Past, now: datetime) -> WrittenPast:
    """Write the past of a world's gyms.

    Args:
        url: SQLAlchemy's address of a MariaDB database.
    """
    began = time.monotonic()
    statements = PastStatements(world, past, now)
    with _connected(url) as cursor:
        for statement in statements.members():
            cursor.execute(statement)
    given_up = Event()
    with ThreadPoolExecutor(2) as both:
        visits = both.submit(_fill, url, "visits", statements.visits(), given_up)
        scans = both.submit(_fill, url, "scans", statements.scans(), given_up)
        try:
            rows = {"members": past.members, "visits": visits.result(), "scans": scans.result()}
        except BaseException:
            given_up.set()  # an interrupted command must not wait for millions of rows
            raise
    return WrittenPast(rows, time.monotonic() - began)


def _fill(url: str, table: str, statements: Iterable[str], given_up: Event) -> int:
    with _connected(url) as cursor:
        build = drop_indexes(cursor, table)
        rows = sum(cursor.execute(statement) for statement in takewhile(lambda _: not given_up.is_set(), statements))
        if given_up.is_set():
            return rows
        cursor.execute(build)
        cursor.execute(f"ANALYZE TABLE {table}")
    return rows


@contextmanager
def _connected(url: str) -> Iterator[pymysql.cursors.Cursor]:
    parts = make_url(url)
    with (
        pymysql.connect(
            host=parts.host,
            port=parts.port or 0,
            user=parts.username,
            password=parts.password or "",
            database=parts.database,
            autocommit=True,
            init_command="SET SESSION time_zone='+00:00', unique_checks=0, foreign_key_checks=0",
        ) as link,
        link.cursor() as cursor,
    ):
        yield cursor


class PastStatements:
    """The SQL. A visit's place counts from 0; its entry happens at moment 2 * place."""

    def __init__(self, world: World, past: Past, now: datetime) -> None:
        self._world = world
        self._past = past
        self._now = now.replace(microsecond=0)
        # Even, as moments are half of it apart; and no longer than a stay, which would be longer otherwise.
        stay_ms = int(_STAY.total_seconds() * 1000)
        self._step_ms = min(stay_ms, max(2, int(_SPAN.total_seconds() * 1000) // max(1, past.visits) // 2 * 2))
        stay = round(stay_ms / self._step_ms)
        self._stay = min(stay, past.visits)
        begin = now - _BEFORE_NOW - timedelta(milliseconds=self._step_ms * (past.visits + self._stay))
        self._from_ms = int((begin - _EPOCH).total_seconds()) * 1000

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first entry to the last exit."""
        last = 2 * (self._past.visits - 1 + self._stay) + 1
        began = _EPOCH + timedelta(milliseconds=self._from_ms)
        return began, began + timedelta(milliseconds=last * self._step_ms // 2)

    def members(self) -> Iterator[str]:
        """Accounts and memberships."""
        now, world = self._now, self._world
        id_ = _sql_id(f"{_MEMBER_FROM_MS} + seq", "seq")
        for chunk in self._chunks(0, self._past.members):
            yield (
                "INSERT INTO users (id, email, name, search_name, banned_at, created_at)"
                f" SELECT {id_}, CONCAT(LOWER(HEX({id_})), '@bench.example'), CONCAT('Bench ', LPAD(seq, 7, '0')),"
                " CONCAT('bench ', LPAD(seq, 7, '0')),"
                f" {_of_kind(MemberKind.BANNED, _time(now), 'NULL')}, {_time(now)} FROM {chunk}"
            )
            yield (
                "INSERT INTO memberships (id, member_id, plan_id, starts_at, ends_at, created_at)"
                f" SELECT {_sql_id(f'{_MEMBER_FROM_MS} + seq', _salt('m', 'seq'))}, {id_}, {_bytes(world.plan_id)},"
                f" {_days_from(now, ENDED_DAYS[0])},"
                f" {_of_kind(MemberKind.ENDED, _days_from(now, ENDED_DAYS[1]), _days_from(now, ACTIVE_DAYS[1]))},"
                f" {_time(now)} FROM {chunk} WHERE {_of_kind(MemberKind.NO_MEMBERSHIP, '0', '1')}"
            )

    def visits(self) -> Iterator[str]:
        """Each with a member at random, at a gym by turns."""
        entry, leave = "2 * seq", f"2 * (seq + {self._stay}) + 1"
        for chunk in self._chunks(0, self._past.visits):
            yield (
                "INSERT INTO visits (id, gym_id, member_id, gate_id, pass_issued_at, entered_at, entered_scan,"
                " left_at, left_scan)"
                f" SELECT {self._visit_id('seq')}, {self._gym('seq')}, {self._member('seq')}, {self._gate('seq')},"
                f" {self._moment(entry)}, {self._moment(entry)}, {self._scan_id(entry)},"
                f" {self._moment(leave)}, {self._scan_id(leave)} FROM {chunk}"
            )

    def scans(self) -> Iterator[str]:
        """Even moments are entries; odd ones are the exits of those who came a while before."""
        visits, first = self._past.visits, self._past.visits - self._past.scanned
        visit = f"(CAST(seq AS SIGNED) DIV 2 - IF(seq % 2, {self._stay}, 0))"  # before the first, where nobody leaves
        capacity = self._world.gyms[0].capacity
        by_parity = "IF(seq % 2, '{}', '{}')".format
        for chunk in self._chunks(2 * first, 2 * (visits + self._stay)):
            yield (
                "INSERT INTO scans (id, scan_id, asked_by, gym_id, gate_id, direction, member_id, pass_status,"
                " pass_issued_at, arrived_at, decided_at, outcome, occupancy, capacity, visit_id)"
                f" SELECT {self._scan_id('seq')}, LEFT(LOWER(CONCAT(MD5({_salt('c', 'seq')}), seq)), 36),"
                f" {self._gate(visit)}, {self._gym(visit)}, {self._gate(visit)}, {by_parity('leave', 'enter')},"
                f" {self._member(visit)}, 'valid', {self._moment('seq')}, {self._moment('seq')},"
                f" {self._moment('seq')}, {by_parity('left', 'entered')}, {self._stay // 2}, {capacity},"
                f" {self._visit_id(visit)} FROM {chunk} WHERE {visit} BETWEEN {first} AND {visits - 1}"
            )

    def _chunks(self, first: int, after: int) -> Iterator[str]:
        for start in range(first, after, _ROWS_AT_ONCE):
            yield f"seq_{start}_to_{min(start + _ROWS_AT_ONCE, after) - 1}"

    def _ms(self, moment: str) -> str:
        return f"{self._from_ms} + ({moment}) * {self._step_ms // 2}"

    def _moment(self, moment: str) -> str:
        return f"FROM_UNIXTIME(({self._ms(moment)}) / 1000)"

    def _visit_id(self, visit: str) -> str:
        return _sql_id(self._ms(f"2 * ({visit})"), _salt("v", visit))

    def _scan_id(self, moment: str) -> str:
        return _sql_id(self._ms(moment), _salt("s", moment))

    def _member(self, visit: str) -> str:
        place = f"CRC32({visit}) % {self._past.members}"
        return _sql_id(f"{_MEMBER_FROM_MS} + {place}", place)

    def _gym(self, visit: str) -> str:
        return self._by_turns(visit, [gate.gym_id for gate in self._world.gates])

    def _gate(self, visit: str) -> str:
        return self._by_turns(visit, [gate.id for gate in self._world.gates])

    def _by_turns(self, visit: str, ids: Sequence[UUID]) -> str:
        return f"ELT(1 + ({visit}) % {len(ids)}, {', '.join(map(_bytes, ids))})"


def _id(ms: int, salt: str) -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7) that says nothing by chance; `_sql_id` makes the same."""
    digits = f"{ms:012x}{md5(salt.encode(), usedforsecurity=False).hexdigest()[:20]}"
    return UUID(hex=f"{digits[:12]}7{digits[13:16]}8{digits[17:]}")


def _sql_id(ms: str, salt: str) -> str:
    return f"UNHEX(INSERT(INSERT(CONCAT(LPAD(HEX({ms}), 12, '0'), LEFT(MD5({salt}), 20)), 13, 1, '7'), 17, 1, '8'))"


def _salt(letter: str, number: str) -> str:
    return f"CONCAT('{letter}', {number})"


def _bytes(id_: UUID) -> str:
    return f"X'{id_.hex}'"


def _time(at: datetime) -> str:
    return f"TIMESTAMP'{at:%Y-%m-%d %H:%M:%S}'"


def _days_from(now: datetime, days: int) -> str:
    return _time(now + timedelta(days))


def _of_kind(kind: MemberKind, then: str, otherwise: str) -> str:
    places = [str(place) for place in range(_KINDS_PERIOD) if kind_at(place, BENCHMARK_SHARES) is kind]
    return f"IF(seq % {_KINDS_PERIOD} IN ({', '.join(places)}), {then}, {otherwise})"
