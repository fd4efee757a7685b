"""Settings that may lose what was acknowledged are refused."""

import pytest

from cluster.errors import CommandError
from cluster.load.benchmark.durability import durable_settings, require_durable
from domain.unit_of_work import Store
from integrations.settings import Settings

DURABLE = {"innodb_flush_log_at_trx_commit": "1", "kafka_acks": "all", "file_system": "ext4"}


def test_durable_settings_are_accepted() -> None:
    require_durable(DURABLE)
    require_durable(DURABLE | {"kafka_acks": "-1"})


@pytest.mark.parametrize(
    "change",
    [
        {"innodb_flush_log_at_trx_commit": "0"},
        {"innodb_flush_log_at_trx_commit": "2"},
        {"kafka_acks": "1"},
        {"kafka_acks": "0"},
        {"file_system": "tmpfs"},
    ],
    ids=str,
)
def test_settings_that_forget_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(CommandError):
        require_durable(DURABLE | change)


def test_the_embedded_store_is_not_measured(store: Store) -> None:
    with store.reading() as connection, pytest.raises(CommandError, match="full profile"):
        durable_settings(Settings(), connection)
