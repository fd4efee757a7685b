"""Events of several gyms for a relay to tell, and what is to be seen of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import insert

from consumers.outbox_relay import OutboxRelay, open_outbox_relay
from domain.ids import new_id
from domain.outbox import outbox
from domain.unit_of_work import Store
from integrations.settings import Settings
from tests.world import START

GYMS = [str(new_id()) for _ in range(5)]


def rows(count: int, began: int = 0) -> list[dict[str, object]]:
    """Events of all gyms in turn."""
    return [
        {
            "topic": "gym-events",
            "key": GYMS[n % len(GYMS)],
            "payload": f'{{"event_id":"{n}","filler":"{"x" * 300}"}}',
            "created_at": START,
        }
        for n in range(began, began + count)
    ]


def write(store: Store, count: int, began: int = 0) -> None:
    with store.writing() as connection:
        connection.execute(insert(outbox), rows(count, began))


def in_order(count: int) -> dict[str, list[str]]:
    """What is to be seen once so many events were written."""
    return {gym: [str(m) for m in range(n, count, len(GYMS))] for n, gym in enumerate(GYMS) if n < count}


@contextmanager
def running(settings: Settings) -> Iterator[OutboxRelay]:
    """A relay in this process."""
    relay = open_outbox_relay(settings)
    relay.start()
    try:
        yield relay
    finally:
        assert relay.stop(30)
