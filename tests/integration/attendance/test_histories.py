"""Random histories of the door: the events that it publishes state exactly what its tables hold.

The histories are those of `tests/histories`. At the end of each, the facts of its events, some of them published twice
as after a crash of the relay, are compared with the facts that are read from the tables.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from domain.attendance.fact_repository import FactRepository
from domain.attendance.facts import ArchivedFact, FactTable, VisitFact, facts_of
from domain.outbox import outbox
from integrations.kafka.door_events import decode_door_event
from tests.histories.play import Arena, Play
from tests.histories.steps import AT_EDGES, history
from tests.stores import store_at
from tests.world import START

DAYS = [START.date() + timedelta(days=offset) for offset in range(-2, 12)]
Key = tuple[FactTable, date, UUID]


def events_of(connection: Connection, chance: random.Random) -> Iterable[Sequence[ArchivedFact]]:
    """The facts of all events in the order of publication; some events come again."""
    payloads = list(connection.execute(select(outbox.c.payload).order_by(outbox.c.id)).scalars())
    start = chance.randrange(len(payloads) + 1)
    seen: set[UUID] = set()
    for payload in [*payloads[: start + 3], *payloads[start:]]:
        event = decode_door_event(payload.encode())
        if event.event_id in seen:
            continue
        seen.add(event.event_id)
        facts = facts_of(event)
        assert facts is not None, f"{event} lacks what a row needs"
        yield facts


def archived(connection: Connection, chance: random.Random) -> dict[Key, ArchivedFact]:
    found: dict[Key, ArchivedFact] = {}
    for facts in events_of(connection, chance):
        found |= {(fact.table, fact.day, fact.id): fact for fact in facts}
    return {key: fact for key, fact in found.items() if not fact.annulled}


def stored(connection: Connection) -> dict[Key, ArchivedFact]:
    repository = FactRepository(connection)
    facts = [
        fact
        for table in FactTable
        for part in repository.created(table, START - timedelta(days=2), START + timedelta(days=3650))
        for fact in part
    ]
    return {(fact.table, fact.day, fact.id): fact for fact in facts}


def without_deleted(fact: ArchivedFact, tables: dict[Key, ArchivedFact]) -> ArchivedFact:
    """The fact without a member whom the tables have forgotten: the archive keeps a key that names nobody."""
    known = tables.get((fact.table, fact.day, fact.id))
    if known is None or known.member_id is not None or fact.table is FactTable.HEAD_COUNTS:
        return fact
    return replace(fact, member_id=None)


@pytest.mark.parametrize(
    ("store_url", "seeds"),
    [("sqlite", range(3000, 3120)), ("mariadb", range(3200, 3220)), ("sqlite", range(AT_EDGES + 900, AT_EDGES + 940))],
    indirect=["store_url"],
)
def test_the_events_of_a_history_state_what_its_tables_hold(store_url: str, seeds: range) -> None:
    store = store_at(store_url)
    arena = Arena.on(store)
    kinds: set[type] = set()
    for seed in seeds:
        with arena.unit_of_work() as connection:
            Play(arena, connection).play(history(seed), reconcile=False)
            tables = stored(connection)
            by_events = {
                key: without_deleted(fact, tables)
                for key, fact in archived(connection, random.Random(seed)).items()  # noqa: S311
            }
        kinds |= {type(fact) for fact in tables.values()}
        assert by_events == tables, f"history {seed}"
    store.close()
    assert VisitFact in kinds
