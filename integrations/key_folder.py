"""A folder of private keys, one PEM file per key id, shared by several processes.

A key id is the creation time in seconds as eight hexadecimal digits: short enough for a QR code, sortable by age. The
key of an id never changes, so the list of ids shows whether anything is new.
"""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_FILE = re.compile(r"([0-9a-f]{8})\.pem")


class KeyFolder:
    """The keys in one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key_ids(self) -> list[str]:
        """Ids of the existing keys, oldest first. Other files are ignored.

        Raises:
            OSError: the folder cannot be read.
        """
        return sorted(match[1] for name in os.listdir(self.path) if (match := _FILE.fullmatch(name)))  # noqa: PTH208 - a third of the cost

    def read(self, key_id: str) -> bytes:
        """The PEM of a key."""
        return self._file(key_id).read_bytes()

    def ensure(self, make: Callable[[], bytes]) -> str:
        """The id of the newest key. Creates the first key if there is none; one process wins.

        Args:
            make: returns the PEM of a new private key.
        """
        with self.locked():
            key_ids = self.key_ids()
            return key_ids[-1] if key_ids else self.add(make())

    def add(self, pem: bytes) -> str:
        """Add a key; requires `locked`. Returns its id."""
        key_ids = self.key_ids()
        second = int(time.time())
        if key_ids:
            second = max(second, int(key_ids[-1], 16) + 1)
        key_id = f"{second:08x}"
        temporary = self.path / f".{key_id}.new"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        temporary.rename(self._file(key_id))
        return key_id

    def remove(self, key_id: str) -> None:
        """Remove a key permanently; requires `locked`."""
        self._file(key_id).unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other processes; creates it if necessary."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _file(self, key_id: str) -> Path:
        return self.path / f"{key_id}.pem"


def created_at(key_id: str) -> datetime:
    """Creation time of a key."""
    return datetime.fromtimestamp(int(key_id, 16), UTC)
