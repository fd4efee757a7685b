"""A data folder with data of every kind, and backups of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

from pydantic import SecretStr
from sqlalchemy import Column, Connection, Table, insert

from cluster.backup.create import create_backup
from cluster.backup.manifest import MEMBER, Manifest
from cluster.backup.progress import Progress
from cluster.backup.reader import opened_backup
from cluster.backup.restore import Restored, restore_backup
from cluster.backup.row_format import Kind, kind_of
from domain.images.model import ImagePrefix, Size, image_key, picture_address
from domain.tables import metadata
from domain.unit_of_work import Store
from integrations.images.store import open_image_store
from integrations.local_identity.provider import LocalProvider
from integrations.pass_keys import ensure_pass_key
from integrations.settings import DatabaseSettings, Settings
from tests.mailbox import Mailbox
from tests.servers import migrate
from tests.unit.integrations.local_identity.harness import EMAIL, LIGHT, PASSWORD, light_settings

PICTURE = b"RIFF of a rower"
NAME = "ab" * 32
MOMENT = datetime(2026, 3, 2, 12, 0, 0, 250_001, tzinfo=UTC)


def silent(_part: str, _number: int) -> None:
    """Tell nobody."""


@contextmanager
def unseen(_what: str, _total: int) -> Iterator[Progress]:
    """Show nothing."""
    yield silent


def empty_settings(folder: Path, url: str = "") -> Settings:
    """Of a folder where nothing has been yet, perhaps with another store."""
    return Settings(data_dir=folder, identity=LIGHT.model_copy(), database=DatabaseSettings(url=SecretStr(url)))


def settings_in(folder: Path, url: str = "") -> Settings:
    """Of an embedded stack, perhaps with another store."""
    settings = light_settings(folder)
    if url:
        settings.database = DatabaseSettings(url=SecretStr(url))
    return settings


def url_of(settings: Settings) -> str:
    return settings.database.url.get_secret_value()


def filled(settings: Settings) -> None:
    """Give a stack two rows in every table, keys, an account, a picture, a demo."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    fill_store(url_of(settings))
    assert settings.passes.key_dir is not None
    ensure_pass_key(settings.passes.key_dir)
    provider = LocalProvider(settings, Mailbox())
    provider.create(EMAIL, "Ana Lima", PASSWORD)
    provider.close()
    images = open_image_store(settings)
    for prefix in ImagePrefix:
        for size in Size:
            images.put(image_key(prefix, NAME, size), BytesIO(PICTURE), "image/webp")
    (settings.data_dir / "demo.json").write_text(json.dumps({"members": []}), encoding="utf-8")


def fill_store(url: str) -> None:
    """Make the tables of an empty store, with two rows in each."""
    migrate(url)
    store = Store(url, pool_size=1)
    with store.writing() as connection:
        fill_every_table(connection)
    store.close()


def fill_every_table(connection: Connection) -> None:
    """Two rows in each: one with everything in it, one with nothing where nothing may be."""
    written: dict[str, list[dict[str, Any]]] = {}
    for number, table in enumerate(metadata.sorted_tables):
        rows = [_row(table, written, 2 * number + place, bare=place == 1) for place in range(2)]
        connection.execute(insert(table), rows)
        written[table.name] = rows


def _row(table: Table, written: dict[str, list[dict[str, Any]]], number: int, *, bare: bool) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        referred = next(iter(column.foreign_keys), None)
        if referred is not None:
            row[column.name] = written[referred.column.table.name][number % 2][referred.column.name]
        elif bare and column.nullable:
            row[column.name] = None
        else:
            row[column.name] = _value(column, number)
    return row


def _value(column: Column[Any], number: int) -> object:
    if (column.table.name, column.name) == ("machines", "image"):
        return NAME
    if column.name == "picture_url":
        return picture_address(NAME)
    values: dict[Kind, object] = {
        Kind.ID: uuid4(),
        Kind.INSTANT: MOMENT + timedelta(seconds=number),
        Kind.INTEGER: 2**40 + number if column.table.name == "outbox" else 30_000 + number,
        Kind.BOOLEAN: number % 4 < 2,
        Kind.TEXT: _text(column, number),
    }
    return values[kind_of(column)]


def _text(column: Column[Any], number: int) -> str:
    length = getattr(column.type, "length", None)
    if column.name == "time_zone":
        return "Europe/Berlin"
    if "mysql" in column.type._variant_mapping:  # noqa: SLF001 - a code: ASCII
        return f"{number:x}~"[:length]
    return f'{number} Zoë "Ruiz"\n\t😀\x00\\'[:length]


def taken(settings: Settings, file: Path, progress: Progress = silent) -> Manifest:
    """A backup of a stack."""
    return create_backup(settings, file, progress).manifest


def restored(settings: Settings, file: Path, *, yes: bool = False) -> Restored:
    """A backup put into a stack."""
    with opened_backup(file) as backup:
        return restore_backup(settings, backup, unseen, lambda _question: yes)


def checksums(manifest: Manifest) -> dict[str, str]:
    """Of the rows of each table."""
    return {table.name: table.file.sha256 for table in manifest.tables}


def rewritten(file: Path, changes: dict[str, bytes | None], **said: object) -> Path:
    """A backup with other files in it.

    Args:
        file: of a good one.
        changes: what is in a file instead; None: it is not there.
        said: what the manifest says instead.
    """
    altered = file.with_name("altered")
    with ZipFile(file) as old, ZipFile(altered, "w", ZIP_DEFLATED) as new:
        content: dict[str, bytes | None] = {name: old.read(name) for name in old.namelist()}
        manifest = json.loads(content[MEMBER] or b"") | said
        content |= {MEMBER: json.dumps(manifest).encode(), **changes}
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)
    return altered
