"""Image store in a local folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from domain.ids import new_id
from domain.images.model import StoredImage
from domain.images.ports import ImagesUnavailableError
from integrations.fsync import sync_folder

_TYPES = {".webp": "image/webp"}
_SUFFIXES = {content_type: suffix for suffix, content_type in _TYPES.items()}
_UNKNOWN_SUFFIX = ".bin"
_UNKNOWN_TYPE = "application/octet-stream"
_TEMPORARY_SUFFIX = ".new"
_COPY_BYTES = 256 * 1024


class DirectoryImageStore:
    """One file per image; its extension is the type. See `domain.images.ImageStore`.

    Args:
        folder: created with the first image; readable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, source: BinaryIO, content_type: str) -> None:
        """See `ImageStore`. Flushed before it is renamed: after a power failure it is complete or missing."""
        suffix = _SUFFIXES.get(content_type, _UNKNOWN_SUFFIX)
        file = self._file(key, suffix)
        with _translate_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f"{new_id()}{_TEMPORARY_SUFFIX}")
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    shutil.copyfileobj(source, out, _COPY_BYTES)
                    out.flush()
                    os.fsync(out.fileno())
                temporary.replace(file)
                for other in {*_TYPES, _UNKNOWN_SUFFIX} - {suffix}:
                    self._file(key, other).unlink(missing_ok=True)
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(file.parent)

    def get(self, key: str) -> StoredImage | None:
        """See `ImageStore`."""
        with _translate_errors():
            file = self._found(key)
            try:
                return None if file is None else StoredImage(file.read_bytes(), _TYPES.get(file.suffix, _UNKNOWN_TYPE))
            except FileNotFoundError:
                return None

    def exists(self, key: str) -> bool:
        """See `ImageStore`."""
        with _translate_errors():
            return self._found(key) is not None

    def delete(self, key: str, written_before: datetime | None = None) -> bool:
        """See `ImageStore`."""
        with _translate_errors():
            file = self._found(key)
            if file is None:
                return True
            if written_before is not None and not _is_older(file, written_before):
                return False
            file.unlink(missing_ok=True)
            return True

    def keys(self, prefix: str, written_before: datetime) -> Iterator[str]:
        """See `ImageStore`. Removes unfinished files of killed processes."""
        with _translate_errors():
            for file in sorted((self._folder / prefix).rglob("*")):
                if not file.is_file() or not _is_older(file, written_before):
                    continue
                if file.suffix == _TEMPORARY_SUFFIX:
                    file.unlink(missing_ok=True)
                else:
                    yield file.relative_to(self._folder).with_suffix("").as_posix()

    def address(self, key: str, lifetime: timedelta) -> str | None:  # noqa: ARG002 - required by the port
        """See `ImageStore`: a folder has no public address."""
        return None

    def _file(self, key: str, suffix: str) -> Path:
        file = self._folder / f"{key}{suffix}"
        if ".." in file.parts or not file.is_relative_to(self._folder):
            raise ValueError("an image key must stay within the store")
        return file

    def _found(self, key: str) -> Path | None:
        known = (self._file(key, suffix) for suffix in (*_TYPES, _UNKNOWN_SUFFIX))
        return next((file for file in known if file.is_file()), None)


def _is_older(file: Path, than: datetime) -> bool:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC) < than
    except FileNotFoundError:
        return False


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImagesUnavailableError(f"Service unavailable: image folder ({error.strerror})") from error
