"""Random histories of scans, uploads, annulments and rules: after each step the door says what an oracle says.

The oracle (`tests/histories/oracle.py`) replays all facts of a member each time. A history is one transaction, of which
nothing stays: decisions see those before them as in a batch of commands. What fails is printed with its number, as
short as it can be had.

Among those that are always played are some that fail once a rule is taken out: 250, annulments are worked out from all
facts; 252, an annulled scan that is uploaded is listed, and a rule's end of a visit is kept; 262, a device that did
otherwise than was decided is listed; 332 and 491, an answer is not given again once it does not hold; 379, the code of
a scan that was given an answer again is used up. Of those about the edges of what a correction reads: 100519, a visit
that had ended before is not open though a rule ended it later.
"""

from collections.abc import Iterator

import pytest

from cluster.local.mariadb import MariaDbServer
from domain.migrations.run import upgrade
from tests.histories.play import Arena, failing
from tests.histories.steps import AT_EDGES
from tests.histories.workers import failures
from tests.servers import fresh_database, server_folder
from tests.stores import store_at

PROCESSES = 2
LONG = range(1000, 21_000)
LONG_AT_EDGES = range(AT_EDGES, AT_EDGES + 2000)


@pytest.mark.parametrize(
    ("store_url", "seeds"),
    [("sqlite", range(250)), ("mariadb", range(50)), ("sqlite", range(100_500, 100_540))],
    indirect=["store_url"],
)
def test_the_door_agrees_with_the_oracle_after_each_step(store_url: str, seeds: range) -> None:
    store = store_at(store_url)
    assert failing(Arena.on(store), seeds) is None
    store.close()


@pytest.fixture
def sqlite_urls() -> Iterator[list[str]]:
    """Migrated files, in memory where there is room: one for each process."""
    with server_folder() as folder:
        urls = [f"sqlite:///{folder / f'{number}.sqlite3'}" for number in range(PROCESSES)]
        for url in urls:
            upgrade(url)
        yield urls


@pytest.mark.soak("stateful")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", [LONG, LONG_AT_EDGES], ids=["any", "at_the_edges_of_corrections"])
def test_thousands_of_histories_on_sqlite(sqlite_urls: list[str], seeds: range) -> None:
    assert failures(sqlite_urls, seeds) == []


@pytest.mark.soak("histories")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("half", [LONG[: len(LONG) // 2], LONG[len(LONG) // 2 :]])
def test_twenty_thousand_histories_on_mariadb(mariadb: MariaDbServer, half: range) -> None:
    urls = [fresh_database(mariadb) for _ in range(PROCESSES)]
    for url in urls:
        upgrade(url)
    assert failures(urls, half) == []
