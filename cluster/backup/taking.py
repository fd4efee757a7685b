"""Takes a backup of a stack, up or not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, Table

from cluster.backup.local_files import copy_files
from cluster.backup.manifest import FORMAT, Manifest, Member, TableMember
from cluster.backup.pictures import copy_pictures
from cluster.backup.reading import Told
from cluster.backup.snapshot import patient_store, rows_of, snapshot
from cluster.backup.values import RowsAsText, kind_of
from cluster.backup.writing import BackupWriter, writing
from cluster.errors import CommandError
from domain.clock import system_clock
from domain.ids import new_id
from domain.migrations.run import at_head, revision_of
from domain.tables import metadata
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was taken. `bytes` is the size of its file."""

    manifest: Manifest
    bytes: int


def take(settings: Settings, file: Path, told: Told, *, force: bool = False) -> Taken:
    """Write all that a stack keeps into one file.

    Args:
        settings: of the stack.
        file: to be written.
        told: called with each part.
        force: whether a file that is there may be replaced.

    Raises:
        CommandError: the database is not up to date, or the file cannot be written.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be had.
    """
    with writing(file, force=force) as writer:
        manifest = _written(settings, writer, file.absolute().parent, told)
        writer.finish(manifest)
    return Taken(manifest, file.stat().st_size)


def _written(settings: Settings, writer: BackupWriter, aside: Path, told: Told) -> Manifest:
    with patient_store(settings.database.url.get_secret_value()) as store:
        taken_at = system_clock()
        with snapshot(store) as connection:
            if not at_head(connection):
                raise CommandError("the database is not of this version", "fitmonitor migrate brings it up to date")
            files: list[Member] = []
            missing: Sequence[str] = ()
            # At once: what is replaced from now on may be swept before we come to it.
            if settings.profile is not Profile.PRODUCTION:
                pictures, missing = copy_pictures(connection, open_image_store(settings), writer, told)
                files.extend(pictures)
            files.extend(copy_files(settings, writer, aside))
            return Manifest(
                format=FORMAT,
                id=new_id(),
                taken_at=taken_at,
                version=version("fitmonitor"),
                revision=revision_of(connection) or "",
                profile=settings.profile,
                store=connection.dialect.name,
                tables=[_table(connection, table, writer, told) for table in metadata.sorted_tables],
                files=files,
                left_out=_left_out(settings),
                missing_pictures=missing,
            )


def _table(connection: Connection, table: Table, writer: BackupWriter, told: Told) -> TableMember:
    columns = [(str(column.name), kind_of(column)) for column in table.columns]
    text = RowsAsText([kind for _, kind in columns])
    rows = 0

    def lines() -> Iterator[bytes]:
        nonlocal rows
        for part in rows_of(connection, table):
            rows += len(part)
            told(table.name, len(part))
            yield text.encode(part)

    member = writer.add(f"tables/{table.name}.jsonl", lines())
    return TableMember(str(table.name), columns, rows, member)


def _left_out(settings: Settings) -> list[str]:
    found = []
    if settings.profile is Profile.PRODUCTION:
        found.append(
            f"pictures: they are in the bucket {settings.images.bucket}, which has its own versions and copies"
        )
    if settings.identity.user_pool_id:
        found.append(f"accounts and passwords: they are in Cognito's pool {settings.identity.user_pool_id}")
    return found
