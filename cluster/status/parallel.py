"""Runs queries in parallel, each with a timeout, so that one that fails or hangs does not affect the others."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster.errors import CommandError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """The value of a query, or the error."""

    value: T | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """One query.

    Args:
        run: returns the value; may block and may raise anything.
        cache_s: how long a value is reused, in seconds, where the query is expensive or its source changes slowly.
    """

    run: Callable[[], T]
    cache_s: float = 0.0


class ParallelQueries:
    """Runs all queries at once and waits for none longer than the timeout.

    A query that still runs is not started again: a server that hangs must not collect threads.

    Args:
        queries: by name.
        timeout_s: in seconds.
    """

    def __init__(self, queries: Mapping[str, Query[object]], timeout_s: float) -> None:
        self._queries = dict(queries)
        self._timeout_s = timeout_s
        self._runs: dict[str, _Run] = {}

    def run(self) -> dict[str, Result[object]]:
        """The results by name, within the timeout."""
        now = time.monotonic()
        for name, query in self._queries.items():
            last = self._runs.get(name)
            if last is None or last.is_outdated(now, query.cache_s):
                self._runs[name] = _Run(query)
        until = now + self._timeout_s
        return {name: self._result(run, until) for name, run in self._runs.items()}

    def _result(self, run: "_Run", until: float) -> Result[object]:
        run.done.wait(max(0.0, until - time.monotonic()))
        return run.result or Result(error=f"no answer within {self._timeout_s:g} s")


class _Run:
    """One run of a query, in a daemon thread, which does not keep the command from ending."""

    def __init__(self, query: Query[object]) -> None:
        self._query = query
        self._ended_at = 0.0
        self.result: Result[object] | None = None
        self.done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def is_outdated(self, now: float, cache_s: float) -> bool:
        if self.result is None:
            return False
        return bool(self.result.error) or now - self._ended_at >= cache_s

    def _run(self) -> None:
        result: Result[object]
        try:
            result = Result(self._query.run())
        except CommandError as error:
            result = Result(error=str(error))
        except Exception as error:  # noqa: BLE001 - whatever fails, the other results are shown
            first_line = str(error).partition("\n")[0]
            result = Result(error=f"{type(error).__name__}: {first_line}".removesuffix(": "))
        self._ended_at = time.monotonic()
        self.result = result
        self.done.set()
