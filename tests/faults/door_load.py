"""Doors at work: devices that scan over HTTP, on a schedule, while a test does harm to the system behind them."""

import asyncio
import multiprocessing
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Self

from domain.door.model import ScanAnswer
from tests.faults.scanning_devices import (
    PATIENCE_S,
    Asked,
    Began,
    Decided,
    Event,
    Failed,
    Given,
    Plan,
    Said,
    ScanningDevices,
    Stall,
    scan_in_own_process,
)


class Doors:
    """Devices that scan until they are told to stop, and then until everything that they asked is decided.

    A scan is repeated under its id after a 503, a lost connection or silence. Members are let in and out at random,
    now here, now there; a third of the devices are two minutes ahead of time, a third two minutes behind.
    They work in a process of their own, whose clock is this one's. How late that process comes by itself is noted:
    what a test measures is held against a calm run of the same doors, and against these stalls.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        spawning = multiprocessing.get_context("spawn")
        self._connection, self._its_end = spawning.Pipe()
        self._process = spawning.Process(target=scan_in_own_process, args=(plan, self._its_end), daemon=True)
        self._listener = threading.Thread(target=self._listen, name="doors", daemon=True)
        self._has_begun = threading.Event()
        self._failure = ""
        self.began_at = self.ended_at = 0.0
        self.stalls: list[Stall] = []
        self.said: list[Said] = []
        self.decided: list[Decided] = []
        self.given: dict[Asked, list[ScanAnswer]] = defaultdict(list)

    def __enter__(self) -> Self:
        self._process.start()
        self._its_end.close()
        self._listener.start()
        assert self._has_begun.wait(PATIENCE_S)
        self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended_at = time.monotonic()
        try:
            if kind is not None:
                self._process.terminate()
            elif self._process.is_alive():
                self._connection.send("stop")
            self._listener.join(PATIENCE_S)
            if kind is None:
                self._check()
                assert not self._listener.is_alive(), "some scans are never decided"
        finally:
            self._process.kill()
            self._process.join()
            self._connection.close()

    def wait_decided(self, after: float, number: int = 1, timeout_s: float = PATIENCE_S) -> float:
        """Wait for decisions that came after a moment; returns when the last of so many came."""
        give_up = time.monotonic() + timeout_s
        while True:
            self._check()
            later = [one.at for one in list(self.decided) if one.at > after]
            if len(later) >= number:
                return sorted(later)[number - 1]
            assert time.monotonic() < give_up, f"{len(later)} decisions in {timeout_s:.0f} s"
            time.sleep(0.02)

    def ask_again(self, decided: Sequence[Decided] | None = None) -> list[ScanAnswer]:
        """Repeat scans that were decided, the last 80 unless told which, and note the answers among all others."""
        work = ScanningDevices(self._plan, self._keep, threading.Event())
        return asyncio.run(work.ask_all(one.scan for one in decided or self.decided[-80:]))

    def between(self, start: float, end: float) -> list[Decided]:
        """Scans that were decided within a span of the monotonic clock."""
        return [one for one in list(self.decided) if start <= one.at <= end]

    def longest_gap(self, start: float, end: float) -> float:
        """Seconds of the longest while within a span in which no gym was told a decision."""
        return longest_gap((one.at for one in self.between(start, end)), start, end)

    def slowest_answer(self, start: float, end: float) -> float:
        """Seconds that the slowest word took to a question of a span, a decision or not."""
        return max(one.took_s for one in list(self.said) if start <= one.asked_at <= end)

    def longest_stall(self, start: float, end: float) -> float:
        """By how many seconds the doors themselves came late at the worst moment of a span."""
        return max((one.late_s for one in list(self.stalls) if start <= one.at <= end), default=0.0)

    def _listen(self) -> None:
        try:
            while True:
                self._keep(self._connection.recv())
        except (EOFError, OSError):
            self._has_begun.set()  # or never will

    def _keep(self, event: Event) -> None:
        match event:
            case Began(at):
                self.began_at = at
                self._has_begun.set()
            case Said():
                self.said.append(event)
            case Given(asked, answer):
                self.given[asked].append(answer)
            case Decided():
                self.decided.append(event)
            case Stall():
                self.stalls.append(event)
            case Failed(why):
                self._failure = why

    def _check(self) -> None:
        assert not self._failure, self._failure
        assert self.began_at, "the doors ended before they began"


def longest_gap(moments: Iterable[float], start: float, end: float) -> float:
    """Seconds of the longest while within a span in which nothing happened."""
    inside = sorted(moment for moment in moments if start < moment < end)
    edges = [start, *inside, end]
    return max(later - earlier for earlier, later in pairwise(edges))


def p99(values: Iterable[float]) -> float:
    """The value that one of a hundred exceeds."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]
