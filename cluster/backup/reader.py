"""A backup that is there: looked through as a whole before anything of it is believed."""

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

import msgspec

from cluster.backup import manifest
from cluster.backup.manifest import Manifest, Member, TableMember
from cluster.backup.row_format import Row, RowsAsText
from cluster.backup.writer import PIECE
from cluster.errors import CommandError

# Whatever else an archive names is none of ours; no name leads anywhere by itself.
_NAMES = re.compile(
    r"tables/[a-z_]+\.jsonl"
    r"|files/keys/(passes|identity)/[0-9a-f]{8}\.pem"
    r"|files/(accounts\.sqlite3|demo\.json|stripe-sandbox/(sandbox\.sqlite|secrets\.json))"
    r"|pictures/(images|pictures)/[0-9a-f]{64}/(large|small)"
)
_ANOTHER = "take another backup, or use an older one"

Told = Callable[[str, int], None]
"""Called with what is under way, and how much of it is done since the last call."""


class BackupFile:
    """An open backup. Made by `reading`, which has read its manifest and nothing else."""

    def __init__(self, archive: ZipFile, said: Manifest) -> None:
        self._archive = archive
        self.manifest = said

    def check(self, told: Told) -> None:
        """Read all of it: every checksum, every row.

        Raises:
            CommandError: with what is wrong first.
        """
        named = sorted([*(member.name for member in self.manifest.members), manifest.MEMBER])
        if sorted(self._archive.namelist()) != named:
            raise CommandError("it does not hold the files that it says", _ANOTHER)
        for member in self.manifest.members:
            if not _NAMES.fullmatch(member.name):
                raise CommandError(f"it names a file that no backup has: {member.name[:100]!r}", _ANOTHER)
        for table in self.manifest.tables:
            if table.file.name != f"tables/{table.name}.jsonl":
                raise CommandError(f"its table {table.name[:100]!r} is in another's file", _ANOTHER)
            for part in self.rows(table):
                told(table.name, len(part))
        for member in self.manifest.files:
            for _ in self.content(member):
                pass
            told(member.name, 1)

    def rows(self, table: TableMember) -> Iterator[list[Row]]:
        """The rows of a table, some thousands at a time.

        Raises:
            CommandError: they are not what the manifest says.
        """
        text = RowsAsText([kind for _, kind in table.columns])
        left, rows = b"", 0
        try:
            for piece in self.content(table.file):
                lines, end, left = (left + piece).rpartition(b"\n")
                if part := text.decode(lines + end):
                    rows += len(part)
                    yield part
        except msgspec.DecodeError as error:
            raise CommandError(f"a row of {table.name} cannot be read ({error})", _ANOTHER) from error
        if left or rows != table.rows:
            raise CommandError(f"{table.name} has {rows} rows in place of {table.rows}", _ANOTHER)

    def content(self, member: Member) -> Iterator[bytes]:
        """What is in a file, a piece at a time; whoever has had the last piece knows that all were right.

        Raises:
            CommandError: it is not what the manifest says.
        """
        digest, size = sha256(), 0
        with _plainly():
            file = self._archive.open(member.name)
        with file:
            while size <= member.bytes and (piece := _piece(file)):
                digest.update(piece)
                size += len(piece)
                yield piece
        if (size, digest.hexdigest()) != (member.bytes, member.sha256):
            raise CommandError(f"{member.name} is not what was written", _ANOTHER)

    def whole(self, member: Member) -> bytes:
        """All that is in a file; for small ones."""
        return b"".join(self.content(member))


@contextmanager
def reading(file: Path) -> Iterator[BackupFile]:
    """A backup.

    Raises:
        CommandError: it is not there, is cut short, is none, or is of a newer format.
    """
    with _opened(file) as opened:
        with _plainly(file):
            archive = ZipFile(opened)
            names = set(archive.namelist())
        if manifest.MEMBER not in names:
            raise CommandError(f"{file} is no backup of ours", "name a file that `fitmonitor backup` wrote")
        with _plainly(file):
            data = archive.read(manifest.MEMBER)
        yield BackupFile(archive, manifest.decode(data))


def _piece(file: IO[bytes]) -> bytes:
    with _plainly():
        return file.read(PIECE)


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise CommandError(f"{file}: {os.strerror(error.errno or 0)}", "name the file of a backup") from error


@contextmanager
def _plainly(file: Path | None = None) -> Iterator[None]:
    try:
        yield
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, RuntimeError) as error:
        raise CommandError(f"{file or 'the backup'} is damaged or cut short ({error})", _ANOTHER) from error
