"""Tasks beside an application's requests: begun anew when they fail, seen when they are dead, closed in any case."""

import asyncio
from datetime import UTC, datetime

import pytest

from deployments.http.background_tasks import BackgroundTask, Lifespan, repeating
from deployments.http.device_sightings import DeviceSightings
from domain.ids import new_id

pytestmark = pytest.mark.anyio


class Worker:
    """Work that fails as often as it is told to; sets `went_well` once it does not."""

    def __init__(self, *failures: BaseException) -> None:
        self._failures = list(failures)
        self.begun = 0
        self.went_well = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        if self._failures:
            raise self._failures.pop(0)
        self.went_well.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("failure", [RuntimeError("a replica died"), asyncio.CancelledError(), ValueError()])
async def test_a_task_that_fails_is_begun_anew(failure: BaseException) -> None:
    """A call that Serve cancels raises `CancelledError` in a task that nobody has cancelled."""
    worker = Worker(failure, failure, failure)
    task = BackgroundTask("worker", worker, first_delay_s=0.001)
    task.start()
    await asyncio.wait_for(worker.went_well.wait(), 30)
    assert worker.begun == 4
    assert task.dead == []
    await task.close()
    assert task.dead == [], "closed is not dead"


async def test_a_task_that_fails_again_and_again_is_begun_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    enough = asyncio.Event()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 6:
            enough.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("deployments.http.background_tasks.asyncio.sleep", rest)
    task = BackgroundTask("worker", Worker(*[ValueError()] * 9), first_delay_s=1, longest_delay_s=10)
    task.start()
    await asyncio.wait_for(enough.wait(), 30)
    assert rests == [1, 2, 4, 8, 10, 10]
    await task.close()


async def test_a_task_that_returns_is_begun_anew() -> None:
    begun = []
    again = asyncio.Event()

    async def returns() -> None:
        begun.append(1)
        if len(begun) == 3:
            again.set()

    task = BackgroundTask("worker", returns, first_delay_s=0.001)
    task.start()
    await asyncio.wait_for(again.wait(), 30)
    await task.close()


async def test_a_task_that_somebody_else_ends_is_dead() -> None:
    task = BackgroundTask("worker", Worker())
    assert task.dead == [], "not begun yet"
    before = asyncio.all_tasks()
    task.start()
    (begun,) = asyncio.all_tasks() - before
    begun.cancel()
    await asyncio.wait([begun])
    assert task.dead == ["worker"]
    assert Lifespan(task).dead == ["worker"]
    await task.close()


class Fragile:
    """A part whose end fails."""

    def __init__(self, journal: list[str], name: str, failure: Exception | None = None) -> None:
        self._journal = journal
        self._name = name
        self._failure = failure

    @property
    def dead(self) -> list[str]:
        return []

    def start(self) -> None:
        self._journal.append(f"{self._name} begun")

    async def close(self) -> None:
        self._journal.append(f"{self._name} closed")
        if self._failure is not None:
            raise self._failure


async def test_at_the_end_everything_is_closed_whatever_one_of_them_raises() -> None:
    journal: list[str] = []

    async def kafka() -> None:
        journal.append("kafka closed")
        raise OSError

    parts = [Fragile(journal, "first", ValueError()), Fragile(journal, "second", RuntimeError("a replica died"))]
    lifespan = Lifespan(*parts, on_stop=kafka)
    await lifespan.start()
    await lifespan.stop()
    assert journal == ["first begun", "second begun", "second closed", "first closed", "kafka closed"]


async def test_sightings_are_sent_after_an_unexpected_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    failed, again = asyncio.Event(), asyncio.Event()

    async def gym(_method: object, _seen: list[object]) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("the replica of Gym died")
        again.set()

    monkeypatch.setattr("deployments.http.device_sightings.REPORT_EVERY_S", 0.001)
    sightings = DeviceSightings(gym)  # type: ignore[arg-type]
    sightings.start()
    sightings.note(new_id(), datetime.now(UTC), None)
    await asyncio.wait_for(failed.wait(), 30)
    sightings.note(new_id(), datetime.now(UTC), None)
    await asyncio.wait_for(again.wait(), 30)
    assert sightings.dead == []
    await sightings.close()


async def test_a_step_is_done_again_after_each_rest() -> None:
    steps: list[int] = []
    enough = asyncio.Event()

    async def step() -> None:
        steps.append(1)
        if len(steps) == 3:
            enough.set()

    task = BackgroundTask("worker", repeating(step, 0.001))
    task.start()
    await asyncio.wait_for(enough.wait(), 30)
    await task.close()
    assert len(steps) >= 3
