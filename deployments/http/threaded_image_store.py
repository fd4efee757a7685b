"""Calls the image store on its own threads, so that a slow store blocks nothing else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from domain.images.ports import ImageStore

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = 16


class ThreadedImageStore:
    """The image store and its threads.

    Args:
        store: the store; its methods block.
    """

    def __init__(self, store: ImageStore) -> None:
        self.store = store
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="images")

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a blocking function, such as a method of the store, on one of the threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
