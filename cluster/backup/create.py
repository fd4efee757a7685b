"""Creates a backup of a stack, running or stopped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, Table

from cluster.backup.local_files import copy_files
from cluster.backup.manifest import FORMAT, Manifest, Member, TableMember
from cluster.backup.pictures import copy_pictures
from cluster.backup.progress import Progress
from cluster.backup.row_format import RowFormat, kind_of
from cluster.backup.snapshot import rows_of, slow_store, snapshot
from cluster.backup.writer import BackupWriter, new_backup
from cluster.errors import CommandError
from domain.clock import system_clock
from domain.ids import new_id
from domain.migrations.run import at_head, revision_of
from domain.tables import metadata
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings


@dataclass(frozen=True, slots=True)
class Created:
    """A new backup. `bytes` is the size of its file."""

    manifest: Manifest
    bytes: int


def create_backup(settings: Settings, file: Path, progress: Progress, *, force: bool = False) -> Created:
    """Write everything that a stack keeps into one file.

    Args:
        settings: of the stack.
        file: the file to write.
        progress: called after each part.
        force: whether to replace an existing file.

    Raises:
        CommandError: the database schema is not up to date, or the file cannot be written.
        sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
    """
    with new_backup(file, force=force) as writer:
        manifest = _write(settings, writer, file.absolute().parent, progress)
        writer.finish(manifest)
    return Created(manifest, file.stat().st_size)


def _write(settings: Settings, writer: BackupWriter, temporary: Path, progress: Progress) -> Manifest:
    with slow_store(settings.database.url.get_secret_value()) as store:
        taken_at = system_clock()
        with snapshot(store) as connection:
            if not at_head(connection):
                raise CommandError("the database schema is not up to date", "update it with `fitmonitor migrate`")
            files: list[Member] = []
            missing: Sequence[str] = ()
            # First of all, because a picture that is replaced from now on may be swept soon.
            if settings.profile is not Profile.PRODUCTION:
                pictures, missing = copy_pictures(connection, open_image_store(settings), writer, progress)
                files.extend(pictures)
            files.extend(copy_files(settings, writer, temporary))
            return Manifest(
                format=FORMAT,
                id=new_id(),
                taken_at=taken_at,
                version=version("fitmonitor"),
                revision=revision_of(connection) or "",
                profile=settings.profile,
                store=connection.dialect.name,
                tables=[_write_table(connection, table, writer, progress) for table in metadata.sorted_tables],
                files=files,
                left_out=_left_out(settings),
                missing_pictures=missing,
            )


def _write_table(connection: Connection, table: Table, writer: BackupWriter, progress: Progress) -> TableMember:
    columns = [(str(column.name), kind_of(column)) for column in table.columns]
    row_format = RowFormat([kind for _, kind in columns])
    rows = 0

    def lines() -> Iterator[bytes]:
        nonlocal rows
        for part in rows_of(connection, table):
            rows += len(part)
            progress(table.name, len(part))
            yield row_format.encode(part)

    member = writer.add(f"tables/{table.name}.jsonl", lines())
    return TableMember(str(table.name), columns, rows, member)


def _left_out(settings: Settings) -> list[str]:
    found = []
    if settings.profile is Profile.PRODUCTION:
        found.append(f"pictures: back up the bucket {settings.images.bucket}, for example by its versions")
    if settings.identity.user_pool_id:
        found.append(f"accounts and passwords: they are in the Cognito user pool {settings.identity.user_pool_id}")
    return found
