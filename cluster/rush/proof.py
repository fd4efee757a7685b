"""Holds the store against what the doors answered: what must be so after every rush."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from cluster.bench.check import compare_with_store
from cluster.rush.books import Books
from cluster.rush.world import RushWorld
from domain.door.model import Outcome
from domain.door.reconcile import disagreements
from domain.door.tables import open_visits, scans


@dataclass(frozen=True, slots=True)
class Invariant:
    """What must be so.

    Args:
        name: stable, for programs.
        holds: None: it cannot be known, because scans stayed without an answer.
        told: figures in words.
    """

    name: str
    holds: bool | None
    told: str


def invariants(connection: Connection, world: RushWorld, books: Books, since: UUID) -> list[Invariant]:
    """Everything that must be so, with whether it is.

    Args:
        since: an identifier older than every scan of the rush.
    """
    return [*of_answers(books), *_of_store(connection, world, books, since)]


def of_answers(books: Books) -> Iterator[Invariant]:
    """What can be known without the store."""
    answers = len(books.answers)
    yield Invariant("answers_right", not books.wrong, f"{answers - books.wrong:,} of {answers:,} answers are right")
    yield Invariant(
        "questions_accepted", not books.refused_questions, f"{books.refused_questions} questions were refused as such"
    )
    yield Invariant(
        "retries_alike",
        not books.retold_otherwise,
        f"{books.retold - books.retold_otherwise} of {books.retold} lost answers were told again alike",
    )
    twice = sum(count > 1 for count in books.admitted_codes.values())
    yield Invariant(
        "code_admits_once", not twice, f"{len(books.admitted_codes):,} codes admitted, {twice} of them twice"
    )


def _of_store(connection: Connection, world: RushWorld, books: Books, since: UUID) -> Iterator[Invariant]:
    all_answered = not books.unanswered
    stored = compare_with_store(connection, world.gym_ids, books.answers, all_answered=all_answered, since=since)
    yield Invariant(
        "nothing_lost",
        not stored.lost and not stored.stored_otherwise,
        f"{stored.lost} answers are not in the store, {stored.stored_otherwise} are there otherwise",
    )
    counted, by_books = _inside(connection, world.gym_ids), books.occupancy(len(world.gyms))
    yield Invariant(
        "occupancy_as_counted",
        counted == by_books if all_answered else None,
        f"inside by the store {sum(counted)}, by the answers {sum(by_books)}",
    )
    broken, over = _history(connection, world, since)
    yield Invariant(
        "occupancy_follows",
        not broken,
        f"{broken} scans tell of another number inside than the scans before them make",
    )
    yield Invariant("never_over_capacity", not over, f"{over} scans found more inside than there is room for")
    found = disagreements(connection)
    words = "; ".join(f"{each.kind}: {each.detail}" for each in found[:3])
    yield Invariant("reconciled", not found, words or "visits, open visits and scans agree")


def _inside(connection: Connection, gym_ids: Sequence[UUID]) -> list[int]:
    query = select(open_visits.c.gym_id, func.count().label("inside")).where(open_visits.c.gym_id.in_(gym_ids))
    counted = {row.gym_id: row.inside for row in connection.execute(query.group_by(open_visits.c.gym_id))}
    return [counted.get(gym_id, 0) for gym_id in gym_ids]


def _history(connection: Connection, world: RushWorld, since: UUID) -> tuple[int, int]:
    """Go through the scans as the doors decided them, and count along.

    Returns:
        How many told of another number than that, and how many of more than there is room for.
    """
    inside = Counter(gym_id for _, gym_id in world.left_inside)
    table = scans.c
    rows = connection.execute(
        select(table.gym_id, table.outcome, table.visit_id, table.occupancy, table.capacity, table.repeats_id)
        .where(table.gym_id.in_(world.gym_ids), table.id > since)
        .order_by(table.id)
    )
    broken = over = 0
    for row in rows:
        if row.repeats_id is not None:
            continue  # a phone held up is told what it was told before
        if row.outcome == Outcome.ENTERED:
            inside[row.gym_id] += 1
        elif row.outcome == Outcome.LEFT and row.visit_id is not None:
            inside[row.gym_id] -= 1
        broken += inside[row.gym_id] != row.occupancy
        over += row.occupancy > row.capacity
        inside[row.gym_id] = row.occupancy  # so that one break counts once
    return broken, over
