"""Plays many histories in several processes, each on its own database."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from domain.unit_of_work import Store
from tests.histories.play import Arena, failing


def failures(urls: Sequence[str], seeds: range) -> list[str]:
    """Play histories and describe the failures.

    Args:
        urls: of migrated stores without rows, one for each process.
    """
    shares = [seeds[number :: len(urls)] for number in range(len(urls))]
    with ProcessPoolExecutor(len(urls), get_context("spawn")) as processes:
        return [failure for failure in processes.map(first_failure, urls, shares) if failure]


def first_failure(url: str, seeds: range) -> str | None:
    """Play histories on one database and describe the first failure."""
    store = Store(url, pool_size=1)
    try:
        return failing(Arena.on(store), seeds)
    finally:
        store.close()
