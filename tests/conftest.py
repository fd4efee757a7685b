"""Fixtures that any test may ask for, and the marks that say which command runs a test.

A test without a mark belongs to `make test`. `@pytest.mark.check` leaves it to `make check`,
`@pytest.mark.soak("shard")` to that shard of `make soak`. A mark stands at a test, or in `pytestmark` for a module.
"""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.servers import kafka, mariadb, own_kafka, own_mariadb, server_dir
from tests.suite.scheduler import OwnFilesScheduler, order
from tests.suite.shards import SHARDS

__all__ = ["kafka", "mariadb", "own_kafka", "own_mariadb", "server_dir"]

# How long an example takes says how busy the machine is, nothing of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Structlog's own tracebacks show all variables: a test that has a failure logged would take half a minute.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """A replica or a command says where its process logs to: that ends with the test."""
    before = structlog.get_config()
    yield
    if structlog.get_config() != before:
        structlog.configure(**before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shard", choices=list(SHARDS), help="Run the tests of this shard of the soak alone.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select a shard, and put those first that take longest, for the workers' sake."""
    shards = {item: mark.args[0] for item in items if (mark := item.get_closest_marker("soak"))}
    for item, shard in shards.items():
        if shard not in SHARDS:
            raise pytest.UsageError(f"{item.nodeid}: tests/suite/shards.py has no shard {shard!r}")
    if wanted := config.getoption("shard"):
        config.hook.pytest_deselected(items=[item for item in items if shards.get(item) != wanted])
        items[:] = [item for item in items if shards.get(item) == wanted]
    items.sort(key=lambda item: order(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OwnFilesScheduler:
    """Distribute tests over the workers of `-n`."""
    return OwnFilesScheduler(config, log)
