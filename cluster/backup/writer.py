"""A backup while it is written: under a name of its own until it is whole, and its owner's alone."""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cluster.backup import manifest
from cluster.backup.manifest import Manifest, Member
from cluster.errors import CommandError
from integrations.folders import sync_folder

PIECE = 1 << 20
_LEVEL = 1  # a fifth larger than by level 6, in a third of its time


class BackupWriter:
    """Puts files into a backup, one after the other. Made by `writing`."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.bytes = 0

    def add(self, name: str, pieces: Iterable[bytes], content_type: str = "") -> Member:
        """Put a file in, piece by piece.

        Args:
            name: within the backup.
            pieces: its content.
            content_type: of a picture; pictures are not pressed once more.
        """
        # By its name alone a file is pressed as the whole archive is.
        entry = ZipInfo(name) if content_type else name
        digest, size = sha256(), 0
        with self._archive.open(entry, "w", force_zip64=True) as out:
            for piece in pieces:
                out.write(piece)
                digest.update(piece)
                size += len(piece)
                self.bytes += len(piece)
        return Member(name, size, digest.hexdigest(), content_type)

    def add_file(self, name: str, source: Path) -> Member:
        """Put in a file of this machine."""
        with source.open("rb") as file:
            return self.add(name, pieces_of(file))

    def finish(self, said: Manifest) -> None:
        """Put in what the backup says of itself; nothing comes after it."""
        self.add(manifest.MEMBER, [manifest.encode(said)])


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of a file, a mebibyte at a time."""
    while piece := file.read(PIECE):
        yield piece


@contextmanager
def writing(file: Path, *, force: bool) -> Iterator[BackupWriter]:
    """A backup that is in place, whole and on disk, once this ends; not at all, if it ends by an exception.

    Raises:
        CommandError: the file is there already, or cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    _refuse(file, force=force)
    with _plainly(file), _held(part) as opened:
        try:
            with ZipFile(opened, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                yield BackupWriter(archive)
            opened.flush()
            os.fsync(opened.fileno())
            _refuse(file, force=force)
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    with suppress(OSError):  # a file system without folders that can be written through
        sync_folder(file.absolute().parent)


def _refuse(file: Path, *, force: bool) -> None:
    if file.is_dir():
        raise CommandError(f"{file} is a folder", "name a file in it")
    if file.exists() and not force:
        raise CommandError(f"{file} is there already", "choose another name, or replace it with --force")


@contextmanager
def _held(part: Path) -> Iterator[BinaryIO]:
    """The unfinished file, ours alone; what a backup that was killed has left of it is written over."""
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"another backup is writing {part}", "wait for it, or choose another name") from error
        os.fchmod(opened.fileno(), 0o600)
        opened.truncate(0)
        yield opened


@contextmanager
def _plainly(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        mend = "name a file on another disk, or make room" if error.errno == errno.ENOSPC else "name another file"
        raise CommandError(f"{error.filename or file}: {error.strerror}", mend) from error
