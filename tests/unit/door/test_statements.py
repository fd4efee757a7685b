"""How many statements a scan costs (docs/benchmarks.md): as many however many scans share them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from domain.door.model import Direction
from tests.world import World

ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that are sent meanwhile, without those that begin and end a unit of work."""
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
def test_entries_and_exits_cost_the_same_statements_however_many_there_are(world: World, members: int) -> None:
    gym, people = world.gym(), world.members(members)
    with counted(world) as entering:
        world.ask(*(world.scan(gym, world.code(member), ENTER) for member in people))
    world.clock.forward(60)
    with counted(world) as leaving:
        world.ask(*(world.scan(gym, world.code(member), LEAVE) for member in people))
    assert (len(entering), len(leaving)) == (10, 10)


def test_a_phone_held_up_costs_no_more_than_a_refusal(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.ask(world.scan(gym, world.code(member), ENTER))
    with counted(world) as repeating:
        world.ask(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(20)
    with counted(world) as refusing:
        world.ask(world.scan(gym, world.code(member), ENTER))
    assert (len(repeating), len(refusing)) == (8, 8)
