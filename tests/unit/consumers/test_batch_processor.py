from collections.abc import Sequence

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from consumers.failure_policy import NextStep, describe_error, next_step
from domain.errors import UnavailableError
from tests.unit.consumers.fakes import LoopBench, message


def lost_race(number: int) -> DBAPIError:
    cause = pymysql.err.OperationalError(number, "lost")
    return IntegrityError("INSERT", {}, cause) if number == 1062 else OperationalError("UPDATE", {}, cause)


UNAVAILABLE = OperationalError("SELECT", {"name": "Ada"}, pymysql.err.OperationalError(2013, "lost connection"))


@pytest.mark.parametrize(
    ("error", "attempt", "size", "expected"),
    [
        (UNAVAILABLE, 1, 5, NextStep.WAIT),
        (UNAVAILABLE, 99, 1, NextStep.WAIT),
        (PoolTimeoutError(), 1, 5, NextStep.WAIT),
        (UnavailableError("a provider"), 99, 5, NextStep.WAIT),
        (lost_race(1213), 1, 5, NextStep.RETRY),
        (lost_race(1062), 2, 1, NextStep.RETRY),
        (lost_race(1205), 3, 5, NextStep.SPLIT),
        (lost_race(1062), 3, 1, NextStep.DEAD_LETTER),
        (lost_race(1205), 3, 1, NextStep.WAIT),
        (lost_race(1213), 7, 1, NextStep.WAIT),
        (ValueError(), 1, 2, NextStep.SPLIT),
        (ValueError(), 1, 1, NextStep.DEAD_LETTER),
        (lost_race(1406), 1, 1, NextStep.DEAD_LETTER),
    ],
)
def test_each_failure_has_its_next_step(error: Exception, attempt: int, size: int, expected: NextStep) -> None:
    assert next_step(error, attempt, 3, size) is expected


def test_the_description_of_an_error_has_no_values_of_the_statement() -> None:
    assert describe_error(UNAVAILABLE) == "OperationalError: (2013, 'lost connection')"


def test_a_lost_race_is_retried_with_the_whole_batch() -> None:
    bench = LoopBench(attempts=3)
    left = [2]

    def lose(_messages: Sequence[str]) -> None:
        if left[0]:
            left[0] -= 1
            raise lost_race(1213)

    bench.handler.fails = lose
    bench.run(message(0), message(1))
    assert bench.handler.calls == [["m0", "m1"]] * 3
    assert bench.journal == ["committed", "replied", "stored"]


def test_only_the_poisoned_message_is_dead_lettered_and_it_is_answered() -> None:
    bench = LoopBench()

    def choke(messages: Sequence[str]) -> None:
        if "m2" in messages:
            raise ValueError("poison")

    bench.handler.fails = choke
    bench.run(*[message(offset) for offset in range(5)])
    assert bench.handler.handled == ["m0", "m1", "m3", "m4"]
    assert bench.dead_letters.letters == [(2, "ValueError: poison")]
    assert ("m2", "m2 is dead") in [pair for replies in bench.replier.replies for pair in replies]
    assert bench.consumer.stored == {0: 5}


def test_a_key_that_stays_taken_is_the_fault_of_one_message() -> None:
    bench = LoopBench()

    def clash(messages: Sequence[str]) -> None:
        if "m1" in messages:
            raise lost_race(1062)

    bench.handler.fails = clash
    bench.run(message(0), message(1), message(2))
    assert bench.handler.handled == ["m0", "m2"]
    assert [offset for offset, _ in bench.dead_letters.letters] == [1]


def test_the_poisoned_message_waits_while_dead_letters_cannot_be_written() -> None:
    bench = LoopBench()
    bench.dead_letters.unavailable_for = 2

    def choke(messages: Sequence[str]) -> None:
        if "m0" in messages:
            raise ValueError("poison")

    bench.handler.fails = choke
    bench.run(message(0), message(1))
    assert bench.dead_letters.letters == [(0, "ValueError: poison")]
    assert bench.handler.handled == ["m1"]
    assert bench.consumer.stored == {0: 2}


def test_a_consumer_that_splits_for_long_still_polls() -> None:
    bench = LoopBench()
    beats: list[float] = []

    def crawl(_messages: Sequence[str]) -> None:
        beats.append(bench.loop.heartbeat_age_s)
        bench.time.now += 8
        raise ValueError("poison")

    bench.handler.fails = crawl
    bench.run(*[message(offset) for offset in range(8)])
    assert len(bench.dead_letters.letters) == 8
    assert max(beats) < 10


@given(poisoned=st.lists(st.booleans(), min_size=1, max_size=40), batch_max=st.integers(1, 16))
def test_exactly_the_poisoned_are_dead_lettered_and_the_others_are_handled_in_order(
    poisoned: list[bool], batch_max: int
) -> None:
    bench = LoopBench(batch_max=batch_max)
    bad = {f"m{offset}" for offset, is_bad in enumerate(poisoned) if is_bad}

    def choke(messages: Sequence[str]) -> None:
        if bad & set(messages):
            raise ValueError("poison")

    bench.handler.fails = choke
    bench.run(*[message(offset) for offset in range(len(poisoned))])
    assert bench.handler.handled == [f"m{o}" for o in range(len(poisoned)) if not poisoned[o]]
    assert [offset for offset, _ in bench.dead_letters.letters] == [o for o, is_bad in enumerate(poisoned) if is_bad]
    answered = [message for replies in bench.replier.replies for message, _ in replies]
    assert answered == [f"m{offset}" for offset in range(len(poisoned))]
    assert bench.consumer.stored == {0: len(poisoned)}
