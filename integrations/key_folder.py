"""A folder of private keys, one PEM file per key id, that several processes read and change at once.

A key id is the second of the key's creation as eight hexadecimal digits: short enough for a QR
code, in the order of age, and telling how long the key has been there. What a key id names never changes, so
the list of ids alone says whether anything is new.
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
    """The keys under one path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key_ids(self) -> list[str]:
        """The ids of the keys that are there, the oldest first; files of other names are none of ours.

        Raises:
            OSError: the folder cannot be read.
        """
        return sorted(match[1] for name in os.listdir(self.path) if (match := _FILE.fullmatch(name)))  # noqa: PTH208 - a third of the cost

    def read(self, key_id: str) -> bytes:
        """The PEM of a key."""
        return self._file(key_id).read_bytes()

    def ensure(self, make: Callable[[], bytes]) -> str:
        """The newest key's id; a first key is made where there is none, by one process only.

        Args:
            make: gives the PEM of a new private key.
        """
        with self.changing():
            key_ids = self.key_ids()
            return key_ids[-1] if key_ids else self.add(make())

    def add(self, pem: bytes) -> str:
        """Put a key beside those that are there; for use while `changing`. Returns its id."""
        key_ids = self.key_ids()
        second = int(time.time())
        if key_ids:
            second = max(second, int(key_ids[-1], 16) + 1)
        key_id = f"{second:08x}"
        unfinished = self.path / f".{key_id}.new"
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(self._file(key_id))
        return key_id

    def remove(self, key_id: str) -> None:
        """Take a key away for good; for use while `changing`."""
        self._file(key_id).unlink()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off every other process that wants to change the folder; it is made if need be."""
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
    """When a key was made."""
    return datetime.fromtimestamp(int(key_id, 16), UTC)
