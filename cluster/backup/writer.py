"""Writes a backup file: under a temporary name until it is complete, and readable by its owner only."""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cluster.backup import manifest as manifests
from cluster.backup.manifest import Manifest, Member
from cluster.errors import CommandError
from integrations.fsync import sync_folder

CHUNK = 1 << 20
_LEVEL = 1  # a fifth larger than level 6, in a third of its time


class BackupWriter:
    """Adds files to a backup, one after the other. Created by `new_backup`."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.bytes = 0

    def add(self, name: str, chunks: Iterable[bytes], content_type: str = "") -> Member:
        """Add a file.

        Args:
            name: its path in the backup.
            chunks: its content.
            content_type: of a picture; pictures are not compressed again.
        """
        # A name alone means the archive's own compression.
        entry = ZipInfo(name) if content_type else name
        digest, size = sha256(), 0
        with self._archive.open(entry, "w", force_zip64=True) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self.bytes += len(chunk)
        return Member(name, size, digest.hexdigest(), content_type)

    def add_file(self, name: str, source: Path) -> Member:
        """Add a file of this machine."""
        with source.open("rb") as file:
            return self.add(name, chunks_of(file))

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest, as the last file."""
        self.add(manifests.MEMBER, [manifests.encode(manifest)])


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of a file, one mebibyte at a time."""
    while chunk := file.read(CHUNK):
        yield chunk


@contextmanager
def new_backup(file: Path, *, force: bool) -> Iterator[BackupWriter]:
    """A new backup, which is complete and on disk when this ends; after an exception there is no file.

    Raises:
        CommandError: the file exists already, or cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    _refuse_existing(file, force=force)
    with _os_errors(file), _locked(part) as opened:
        try:
            with ZipFile(opened, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                yield BackupWriter(archive)
            opened.flush()
            os.fsync(opened.fileno())
            _refuse_existing(file, force=force)
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    with suppress(OSError):  # a file system that cannot sync folders
        sync_folder(file.absolute().parent)


def _refuse_existing(file: Path, *, force: bool) -> None:
    if file.is_dir():
        raise CommandError(f"{file} is a folder", "name a file in it")
    if file.exists() and not force:
        raise CommandError(f"{file} exists already", "choose another name, or replace it with --force")


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """The unfinished file, locked and emptied. The remains of a killed backup are overwritten."""
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"another backup is writing {part}", "wait for it, or choose another name") from error
        os.fchmod(opened.fileno(), 0o600)
        opened.truncate(0)
        yield opened


@contextmanager
def _os_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "name a file on another disk, or free some space" if error.errno == errno.ENOSPC else "name another file"
        raise CommandError(f"{error.filename or file}: {error.strerror}", hint) from error
