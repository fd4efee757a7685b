"""The store of images as the gateway asks it: on threads of its own, so that one that hangs holds up nothing else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import BinaryIO, ParamSpec, TypeVar

from domain.images.model import StoredImage
from domain.images.ports import ImageStore

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = 16


class ImagesByThread:
    """See `domain.images.ImageStore`, whose methods these are, awaited."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="images")

    async def put(self, key: str, source: BinaryIO, content_type: str) -> None:
        """Keep what is read from `source`."""
        await self._ask(self._store.put, key, source, content_type)

    async def get(self, key: str) -> StoredImage | None:
        """What is kept under a key."""
        return await self._ask(self._store.get, key)

    async def exists(self, key: str) -> bool:
        """Whether something is kept under a key."""
        return await self._ask(self._store.exists, key)

    async def delete(self, key: str) -> bool:
        """Forget a key."""
        return await self._ask(self._store.delete, key)

    async def address(self, key: str, lifetime: timedelta) -> str | None:
        """Where a browser gets it without us."""
        return await self._ask(self._store.address, key, lifetime)

    async def write(self, file: BinaryIO, data: bytes) -> None:
        """Write to a file on its way into the store."""
        await self._ask(file.write, data)

    async def _ask(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: method(*args, **kwargs))
