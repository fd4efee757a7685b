"""A batch of scans costs the same number of statements, however many scans it contains (docs/benchmarks.md)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from domain.door.model import Direction
from tests.world import World

ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements sent in this block, without those that begin and end a transaction."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    event.listen(world.store.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(world.store.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("members", [1, 50])
def test_the_number_of_statements_does_not_grow_with_the_number_of_scans(world: World, members: int) -> None:
    gym, people = world.gym(), world.members(members)
    with counted(world) as entering:
        world.ask(*(world.scan(gym, world.code(member), ENTER) for member in people))
    world.clock.forward(60)
    with counted(world) as leaving:
        world.ask(*(world.scan(gym, world.code(member), LEAVE) for member in people))
    assert (len(entering), len(leaving)) == (10, 10)


def test_a_repeated_answer_costs_no_more_than_a_refusal(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.ask(world.scan(gym, world.code(member), ENTER))
    with counted(world) as repeating:
        world.ask(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(20)
    with counted(world) as refusing:
        world.ask(world.scan(gym, world.code(member), ENTER))
    assert (len(repeating), len(refusing)) == (8, 8)
