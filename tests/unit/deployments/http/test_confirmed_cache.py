"""What is remembered of devices and gates, and for how long it is believed."""

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

import pytest

from deployments.http.confirmed_cache import ConfirmedCache, Freshness
from deployments.http.problems import ApiProblem
from domain.ids import new_id
from tests.unit.deployments.harness import settled
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


class Rows:
    """A table that can be slow, and away."""

    def __init__(self) -> None:
        self.rows: dict[UUID, str] = {}
        self.questions: list[set[UUID]] = []
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, ids: Collection[UUID]) -> Mapping[UUID, str]:
        self.questions.append(set(ids))
        found = {key: self.rows[key] for key in ids if key in self.rows}
        await self.gate.wait()
        if self.away:
            raise ConnectionError
        return found

    def add(self) -> UUID:
        key = new_id()
        self.rows[key] = str(key)
        return key


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def rows() -> Rows:
    return Rows()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def cache(rows: Rows, seconds: Seconds) -> ConfirmedCache[str]:
    return ConfirmedCache(rows, freshness=Freshness(), room=8, room_for_unknown=8, room_for_questions=8, clock=seconds)


async def test_a_row_is_read_once(cache: ConfirmedCache[str], rows: Rows) -> None:
    key = rows.add()
    assert [await cache.get(key) for _ in range(3)] == [str(key)] * 3
    assert cache.remembered(key) == str(key)
    assert len(rows.questions) == 1


async def test_what_is_not_confirmed_for_5_s_is_not_believed(
    cache: ConfirmedCache[str], rows: Rows, seconds: Seconds
) -> None:
    key = rows.add()
    await cache.get(key)
    del rows.rows[key]
    seconds.now += 4.9
    assert cache.remembered(key)
    seconds.now += 0.2
    assert cache.remembered(key) is None
    assert await cache.get(key) is None


async def test_a_refresh_confirms_all_in_one_question_and_sees_what_was_revoked(
    cache: ConfirmedCache[str], rows: Rows, seconds: Seconds
) -> None:
    stays, goes = rows.add(), rows.add()
    await cache.get(stays)
    await cache.get(goes)
    del rows.rows[goes]
    seconds.now += 2
    await cache.refresh()
    assert rows.questions[2:] == [{stays, goes}]
    assert (cache.remembered(stays), cache.remembered(goes)) == (str(stays), None)
    seconds.now += 4
    assert cache.remembered(stays) == str(stays)


async def test_a_refresh_counts_from_when_it_asked(cache: ConfirmedCache[str], rows: Rows, seconds: Seconds) -> None:
    key = rows.add()
    await cache.get(key)
    rows.gate.clear()
    refreshing = asyncio.create_task(cache.refresh())
    await settled()
    seconds.now += 4
    rows.gate.set()
    await refreshing
    seconds.now += 1.1
    assert cache.remembered(key) is None


async def test_while_the_table_is_unavailable_cached_entries_expire(
    cache: ConfirmedCache[str], rows: Rows, seconds: Seconds
) -> None:
    key = rows.add()
    await cache.get(key)
    rows.away = True
    assert cache.remembered(key)
    seconds.now += 6
    with pytest.raises(ApiProblem) as problem:
        await cache.get(key)
    assert problem.value.code == "unavailable"
    rows.away = False
    assert await cache.get(key) == str(key)


async def test_guessing_costs_one_question_at_a_time(cache: ConfirmedCache[str], rows: Rows) -> None:
    rows.gate.clear()
    guesses = [asyncio.create_task(cache.get(new_id()))]
    await settled()
    guesses += [asyncio.create_task(cache.get(new_id())) for _ in range(8)]
    await settled()
    assert len(rows.questions) == 1
    assert not any(guess.done() for guess in guesses)
    rows.gate.set()
    assert await asyncio.gather(*guesses) == [None] * 9
    assert len(rows.questions) == 2
    assert len(cache._entries) <= 8  # noqa: SLF001 - that it is bounded cannot be seen from outside
    assert len(cache._unknown) <= 8  # noqa: SLF001 - the same


async def test_too_many_guesses_are_turned_away(cache: ConfirmedCache[str], rows: Rows) -> None:
    rows.gate.clear()
    first = asyncio.create_task(cache.get(new_id()))
    await settled()
    guesses = [asyncio.create_task(cache.get(new_id())) for _ in range(9)]
    await settled()
    assert [type(guess.exception()) for guess in guesses if guess.done()] == [ApiProblem]
    rows.gate.set()
    await asyncio.gather(first, *guesses, return_exceptions=True)


async def test_guesses_take_the_place_of_no_row(cache: ConfirmedCache[str], rows: Rows) -> None:
    keys = [rows.add() for _ in range(8)]
    for key in keys:
        await cache.get(key)
    for _ in range(20):
        assert await cache.get(new_id()) is None
    assert [cache.remembered(key) for key in keys] == [str(key) for key in keys]


async def test_the_least_recently_used_row_makes_room(cache: ConfirmedCache[str], rows: Rows) -> None:
    keys = [rows.add() for _ in range(9)]
    for key in keys[:8]:
        await cache.get(key)
    assert cache.remembered(keys[0])
    await cache.get(keys[8])
    assert [cache.remembered(key) is not None for key in keys] == [True, False, *[True] * 7]


async def test_a_refresh_changes_nothing_of_which_row_was_used_last(cache: ConfirmedCache[str], rows: Rows) -> None:
    keys = [rows.add() for _ in range(9)]
    for key in reversed(keys[:8]):
        await cache.get(key)
    await cache.refresh()
    await cache.get(keys[8])
    assert [cache.remembered(key) is not None for key in keys] == [*[True] * 7, False, True]


async def test_a_row_that_was_remembered_is_asked_for_however_many_guesses_wait(
    cache: ConfirmedCache[str], rows: Rows, seconds: Seconds
) -> None:
    key = rows.add()
    await cache.get(key)
    seconds.now += 6
    rows.gate.clear()
    waiting = [asyncio.create_task(cache.get(new_id()))]
    await settled()
    waiting += [asyncio.create_task(cache.get(new_id())) for _ in range(8)]
    known = asyncio.create_task(cache.get(key))
    await settled()
    assert not known.done()
    rows.gate.set()
    assert await known == str(key)
    await asyncio.gather(*waiting)


async def test_a_row_that_is_gone_is_denied_until_it_is_there_again(
    cache: ConfirmedCache[str], rows: Rows, seconds: Seconds
) -> None:
    key = rows.add()
    await cache.get(key)
    assert not cache.is_denied(key)
    gone = rows.rows.pop(key)
    await cache.refresh()
    assert cache.is_denied(key)
    assert await cache.get(key) is None
    assert len(rows.questions) == 2
    rows.rows[key] = gone
    seconds.now += 2.1
    assert not cache.is_denied(key)
    assert await cache.get(key) == gone
    assert not cache.is_denied(key)


async def test_an_unknown_id_stays_unknown_for_a_moment_only(
    cache: ConfirmedCache[str], rows: Rows, seconds: Seconds
) -> None:
    key = new_id()
    assert await cache.get(key) is None
    rows.rows[key] = "new"
    seconds.now += 1.9
    assert await cache.get(key) is None
    assert len(rows.questions) == 1
    seconds.now += 0.2
    assert await cache.get(key) == "new"


async def test_one_who_leaves_does_not_end_the_question_for_others(cache: ConfirmedCache[str], rows: Rows) -> None:
    key = rows.add()
    rows.gate.clear()
    one, other = asyncio.create_task(cache.get(key)), asyncio.create_task(cache.get(key))
    await settled()
    one.cancel()
    await settled()
    rows.gate.set()
    assert await other == str(key)
    assert len(rows.questions) == 1


async def test_what_nobody_uses_is_forgotten(cache: ConfirmedCache[str], rows: Rows, seconds: Seconds) -> None:
    key = rows.add()
    await cache.get(key)
    for _ in range(301):
        seconds.now += 2
        await cache.refresh()
    rows.questions.clear()
    await cache.refresh()
    assert not rows.questions


async def test_it_refreshes_by_itself_and_survives_failures(rows: Rows) -> None:
    cache = ConfirmedCache(rows, freshness=Freshness(refresh_every=0.01))
    key = rows.add()
    cache.start()
    await cache.get(key)
    rows.away = True
    questions = len(rows.questions)
    await eventually(lambda: len(rows.questions) > questions + 1)
    rows.away = False
    rows.rows[key] = "changed"
    await eventually(lambda: cache.remembered(key) == "changed")
    await cache.close()
