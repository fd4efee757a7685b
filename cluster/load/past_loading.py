"""A past for a world: members, their visits and the scans of these, made by the database itself.

Rows are written in the order of their keys, into tables without their secondary indexes, which are then built by
sorting: a fraction of the time that it takes to keep them up row by row.
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from random import Random
from threading import Event

import pymysql
from sqlalchemy import make_url

from cluster.late_indexes import drop_indexes
from cluster.load.past import Past, PastRows, member_at
from cluster.load.world import BenchMember, BenchWorld


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded, and how long it took."""

    rows: dict[str, int]
    seconds: float


def some_members(past: Past, number: int, seed: int) -> tuple[BenchMember, ...]:
    """Members drawn at random from all."""
    places = Random(seed).sample(range(past.members), number)  # noqa: S311 - chooses whom to measure
    return tuple(member_at(place) for place in places)


def load_past(url: str, world: BenchWorld, past: Past, now: datetime) -> Loaded:
    """Write the past of a world's gyms; visits and scans beside each other.

    Args:
        url: SQLAlchemy's address of a MariaDB database.
    """
    began = time.monotonic()
    writing = PastRows(world, past, now)
    with _connected(url) as cursor:
        for statement in writing.members():
            cursor.execute(statement)
    given_up = Event()
    with ThreadPoolExecutor(2) as both:
        visits = both.submit(_fill, url, "visits", writing.visits(), given_up)
        scans = both.submit(_fill, url, "scans", writing.scans(), given_up)
        try:
            rows = {"members": past.members, "visits": visits.result(), "scans": scans.result()}
        except BaseException:
            given_up.set()  # whoever interrupts does not want to wait for millions of rows
            raise
    return Loaded(rows, time.monotonic() - began)


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
