"""Reads a backup file, and verifies all of it before anything is restored."""

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

import msgspec

from cluster.backup import manifest as manifests
from cluster.backup.manifest import Manifest, Member, TableMember
from cluster.backup.progress import Progress
from cluster.backup.row_format import Row, RowFormat
from cluster.backup.writer import CHUNK
from cluster.errors import CommandError

# No other file belongs into a backup, and none of these names leads out of a folder.
_NAMES = re.compile(
    r"tables/[a-z_]+\.jsonl"
    r"|files/keys/(passes|identity)/[0-9a-f]{8}\.pem"
    r"|files/(accounts\.sqlite3|demo\.json|stripe-sandbox/(sandbox\.sqlite|secrets\.json))"
    r"|pictures/(images|pictures)/[0-9a-f]{64}/(large|small)"
)
_HINT = "use another backup"


class BackupFile:
    """An open backup, of which only the manifest has been read. Created by `opened_backup`."""

    def __init__(self, archive: ZipFile, manifest: Manifest) -> None:
        self._archive = archive
        self.manifest = manifest

    def verify(self, progress: Progress) -> None:
        """Read all of it: every checksum, every row.

        Raises:
            CommandError: with the first fault.
        """
        expected = sorted([*(member.name for member in self.manifest.members), manifests.MEMBER])
        if sorted(self._archive.namelist()) != expected:
            raise CommandError("the backup does not have the files that its manifest lists", _HINT)
        for member in self.manifest.members:
            if not _NAMES.fullmatch(member.name):
                raise CommandError(f"the manifest lists a file that no backup has: {member.name[:100]!r}", _HINT)
        for table in self.manifest.tables:
            if table.file.name != f"tables/{table.name}.jsonl":
                raise CommandError(f"the rows of table {table.name[:100]!r} are in the file of another table", _HINT)
            for part in self.rows(table):
                progress(table.name, len(part))
        for member in self.manifest.files:
            for _ in self.content(member):
                pass
            progress(member.name, 1)

    def rows(self, table: TableMember) -> Iterator[list[Row]]:
        """The rows of a table, some thousands at a time.

        Raises:
            CommandError: they are not what the manifest says.
        """
        row_format = RowFormat([kind for _, kind in table.columns])
        left, rows = b"", 0
        try:
            for chunk in self.content(table.file):
                lines, end, left = (left + chunk).rpartition(b"\n")
                if part := row_format.decode(lines + end):
                    rows += len(part)
                    yield part
        except msgspec.DecodeError as error:
            raise CommandError(f"a row of {table.name} cannot be read ({error})", _HINT) from error
        if left or rows != table.rows:
            raise CommandError(f"{table.name} has {rows} rows instead of {table.rows}", _HINT)

    def content(self, member: Member) -> Iterator[bytes]:
        """The content of a file in chunks. Its checksum is verified with the last chunk.

        Raises:
            CommandError: it is not what the manifest says.
        """
        digest, size = sha256(), 0
        with _zip_errors():
            file = self._archive.open(member.name)
        with file:
            while size <= member.bytes and (chunk := _read_chunk(file)):
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        if (size, digest.hexdigest()) != (member.bytes, member.sha256):
            raise CommandError(f"{member.name} does not match its checksum", _HINT)

    def whole(self, member: Member) -> bytes:
        """The content of a small file."""
        return b"".join(self.content(member))


@contextmanager
def opened_backup(file: Path) -> Iterator[BackupFile]:
    """A backup.

    Raises:
        CommandError: the file does not exist, is truncated, is not a backup, or has a newer format.
    """
    with _opened(file) as opened:
        with _zip_errors(file):
            archive = ZipFile(opened)
            names = set(archive.namelist())
        if manifests.MEMBER not in names:
            raise CommandError(f"{file} is not a backup of FIT Monitor", "name a file that `fitmonitor backup` wrote")
        with _zip_errors(file):
            data = archive.read(manifests.MEMBER)
        yield BackupFile(archive, manifests.decode(data))


def _read_chunk(file: IO[bytes]) -> bytes:
    with _zip_errors():
        return file.read(CHUNK)


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise CommandError(f"{file}: {os.strerror(error.errno or 0)}", "name the file of a backup") from error


@contextmanager
def _zip_errors(file: Path | None = None) -> Iterator[None]:
    try:
        yield
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, RuntimeError) as error:
        raise CommandError(f"{file or 'the backup'} is damaged or truncated ({error})", _HINT) from error
