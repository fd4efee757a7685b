"""Checks database, Kafka and API: whether they can be reached, and whether schema and clock agree."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from cluster.local.doctor.finding import Finding
from cluster.local.http_probe import probe
from domain.migrations.run import at_head
from domain.unit_of_work import Store
from integrations.kafka.clients import common_config
from integrations.key_folder import KeyFolder
from integrations.logs import configure_logging
from integrations.settings import Settings

_TIMEOUT_S = 5.0
_MAX_DIFFERENCE_S = 2.0  # a door's deadline is 1.8 s
_OK = 200
_CLOCK = "synchronize both clocks: sudo timedatectl set-ntp true on each machine"


def check_servers(settings: Settings, *, up: bool) -> Iterator[Finding]:
    """Check the database and Kafka.

    Args:
        settings: hold their addresses.
        up: whether they belong to a running stack of this machine.
    """
    yield from _check_database(settings, up=up)
    yield from _check_kafka(settings, up=up)


def check_api(url: str, logs: str) -> Finding:
    """Check whether a stack is ready."""
    status, body = probe(f"{url}/api/ready", _TIMEOUT_S)
    found = "ready" if status == _OK else f"not ready ({status or body})"
    return Finding("API", status == _OK, f"{url} is {found}", f"see `fitmonitor status` and the logs in {logs}")


def check_pass_keys(settings: Settings) -> Finding:
    """Check the keys that sign passes."""
    folder = settings.passes.key_dir
    try:
        found = len(KeyFolder(folder).key_ids()) if folder else 0
    except OSError as error:
        return Finding("pass keys", good=False, found=f"{folder}: {error.strerror}", hint=f"mkdir -m 700 -p {folder}")
    return Finding("pass keys", found > 0, f"{found} in {folder}", "fitmonitor pass rotate-key")


def _check_database(settings: Settings, *, up: bool) -> Iterator[Finding]:
    url = settings.database.url.get_secret_value()
    parts = make_url(url)
    where = str(parts.database) if not parts.host else f"{parts.host}:{parts.port or 3306}/{parts.database}"
    store = Store(url, pool_size=1, statement_timeout_s=_TIMEOUT_S)
    try:
        began = time.perf_counter()
        with store.reading() as connection:
            connection.execute(text("SELECT 1"))
            took_ms = (time.perf_counter() - began) * 1000
            yield Finding("database", good=True, found=f"{where} answers within {took_ms:.0f} ms", hint="")
            yield _check_schema(connection)
            if connection.dialect.name != "sqlite":
                yield _check_database_clock(connection)
    except SQLAlchemyError as error:
        # The error's own text may hold the password.
        found = f"{where} cannot be reached ({_cause(error)})"
        hint = f"check FITMONITOR_DATABASE__URL, and that this machine can reach {where.partition('/')[0]}"
        yield Finding("database", good=False, found=found, hint=_restart_hint(settings) if up else hint)
    finally:
        store.close()


def _check_schema(connection: Connection) -> Finding:
    good = at_head(connection)
    return Finding("schema", good, "up to date" if good else "older than this version", "fitmonitor migrate")


def _check_database_clock(connection: Connection) -> Finding:
    before = datetime.now(UTC)
    there: datetime = connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one()
    here = before + (datetime.now(UTC) - before) / 2
    difference_s = abs((there.replace(tzinfo=UTC) - here).total_seconds())
    return Finding("database's clock", difference_s < _MAX_DIFFERENCE_S, f"{difference_s:.2f} s from ours", _CLOCK)


def _cause(error: SQLAlchemyError) -> str:
    arguments = getattr(getattr(error, "orig", None), "args", ())
    number = f" {arguments[0]}" if arguments and isinstance(arguments[0], int) else ""
    return f"{type(error).__name__}{number}"


def _check_kafka(settings: Settings, *, up: bool) -> Iterator[Finding]:
    kafka = settings.kafka
    where = kafka.bootstrap_servers
    # Otherwise the client's log lines mix with the output.
    configure_logging(settings.model_copy(update={"log_level": "CRITICAL"}), warn_of_deprecated=False)
    try:
        found = AdminClient(common_config(kafka)).list_topics(timeout=_TIMEOUT_S)
    except KafkaException as error:
        hint = f"check FITMONITOR_KAFKA__BOOTSTRAP_SERVERS, and that this machine can reach {where}"
        why = f"{where} cannot be reached ({error.args[0].str()})"
        yield Finding("Kafka", good=False, found=why, hint=_restart_hint(settings) if up else hint)
        return
    yield Finding("Kafka", good=True, found=f"{where} answers, {len(found.brokers)} brokers", hint="")
    needed = kafka.topics
    missing = [name for name in needed if name not in found.topics]
    hint = f"create {', '.join(missing)}, with as many partitions as FITMONITOR_KAFKA__…_PARTITIONS say"
    yield Finding("topics", not missing, f"{len(needed) - len(missing)} of {len(needed)} exist", hint)


def _restart_hint(settings: Settings) -> str:
    return f"read {settings.data_dir}/logs, then fitmonitor down and fitmonitor up"
