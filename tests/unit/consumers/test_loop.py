from collections.abc import Callable, Sequence
from itertools import pairwise

import pymysql
import pytest
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy.exc import OperationalError

from tests.unit.consumers.fakes import Bench, failure, message


def database_away() -> OperationalError:
    return OperationalError("SELECT 1", {}, pymysql.err.OperationalError(2003, "no connection"))


def failing(times: int, error: Exception, then: Callable[[], object] = lambda: None) -> Callable[[Sequence[str]], None]:
    """A handler that fails so many times, doing something each time."""
    left = [times]

    def fail(_messages: Sequence[str]) -> None:
        if left[0]:
            left[0] -= 1
            then()
            raise error

    return fail


def void(_result: object) -> None:
    """For a callback whose result nobody wants."""


def test_offsets_are_stored_after_the_commit_and_the_replies() -> None:
    bench = Bench()
    bench.run(message(7))
    assert bench.journal == ["committed", "replied", "stored"]
    assert bench.consumer.stored == {0: 8}


def test_whatever_waits_is_one_batch() -> None:
    bench = Bench()
    bench.run(message(0), message(1), message(0, "other", partition=1))
    assert bench.handler.calls == [["m0", "m1", "other"]]
    assert bench.replier.replies == [[("m0", "M0"), ("m1", "M1"), ("other", "OTHER")]]
    assert bench.consumer.stored == {0: 2, 1: 1}


def test_it_is_known_when_the_group_has_given_partitions() -> None:
    bench = Bench()
    assert not bench.loop.wait_for_partitions(0)
    bench.run(message(0))
    assert bench.loop.wait_for_partitions(0)


def test_a_batch_is_bounded() -> None:
    bench = Bench(batch_max=2)
    bench.run(*[message(offset) for offset in range(5)])
    assert bench.handler.calls == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    assert bench.loop.stats.mean_batch == pytest.approx(5 / 3)


def test_what_cannot_be_decoded_goes_to_the_dead_letters_and_the_others_are_handled_first() -> None:
    bench = Bench()
    bench.run(message(0), message(1, "bad one"), message(2))
    assert bench.handler.handled == ["m0", "m2"]
    assert bench.dead_letters.letters == [(1, "undecodable: ValueError: bad one")]
    assert bench.journal == ["committed", "replied", "buried", "stored"]
    assert bench.consumer.stored == {0: 3}
    assert bench.loop.stats.dead_letters == 1


def test_a_message_is_not_skipped_while_its_dead_letter_cannot_be_written() -> None:
    bench = Bench()
    bench.dead_letters.away_for = 3
    bench.run(message(0, "bad one"), message(1))
    assert bench.journal == ["committed", "replied", "buried", "stored"]
    assert bench.dead_letters.letters == [(0, "undecodable: ValueError: bad one")]
    assert bench.consumer.stored == {0: 2}


def test_waiting_for_what_is_away_is_no_work() -> None:
    bench = Bench()

    def take_a_second(_messages: Sequence[str]) -> None:
        bench.time.now += 1.0

    bench.handler.fails = take_a_second
    bench.run(message(0))
    assert bench.loop.stats.busy_s == pytest.approx(1.0)
    away = Bench()
    away.handler.fails = failing(3, database_away())
    away.run(message(0))
    assert away.loop.stats.busy_s == pytest.approx(0.0)
    assert away.loop.stats.messages == 1


def test_while_the_database_is_away_the_partitions_rest_and_the_batch_stays_in_hand() -> None:
    bench = Bench()
    paused: list[set[int]] = []
    bench.handler.fails = failing(3, database_away(), lambda: paused.append(set(bench.consumer.paused)))
    bench.run(message(0), message(1))
    assert bench.handler.calls == [["m0", "m1"]] * 4
    assert paused == [set(), {0, 1, 2, 3}, {0, 1, 2, 3}]
    assert bench.consumer.paused == set()
    assert bench.journal == ["committed", "replied", "stored"]


def test_the_wait_for_the_database_grows_to_a_second() -> None:
    bench = Bench()
    asked_at: list[float] = []
    bench.handler.fails = failing(8, database_away(), lambda: asked_at.append(bench.time.now))
    bench.run(message(0))
    waits = [round(later - earlier, 2) for earlier, later in pairwise(asked_at)]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert max(bench.consumer.waits) <= 0.2  # and it keeps polling meanwhile


def test_messages_of_revoked_partitions_are_dropped_from_the_batch_in_hand() -> None:
    bench = Bench()
    bench.handler.fails = failing(
        1, database_away(), lambda: bench.consumer.queue.append(lambda: bench.consumer.revoke({1}))
    )
    bench.run(message(0), message(0, "gone", partition=1), message(1))
    assert bench.handler.handled == ["m0", "m1"]
    assert bench.consumer.stored == {0: 2}


def test_a_batch_that_was_revoked_whole_is_not_handled() -> None:
    bench = Bench()
    bench.handler.fails = failing(
        1, database_away(), lambda: bench.consumer.queue.append(lambda: bench.consumer.revoke({0}))
    )
    bench.run(message(0), message(1, "bad one"))
    assert bench.handler.handled == []
    assert bench.dead_letters.letters == []
    assert bench.consumer.stored == {}


def test_a_partition_may_be_revoked_between_the_first_message_and_the_rest() -> None:
    bench = Bench()
    bench.run(message(0), lambda: bench.consumer.revoke({0}), message(5, partition=1))
    assert bench.handler.handled == ["m5"]
    assert bench.consumer.stored == {1: 6}


def test_partitions_assigned_while_resting_rest_too() -> None:
    bench = Bench()
    seen: list[set[int]] = []

    def fail(_messages: Sequence[str]) -> None:
        seen.append(set(bench.consumer.paused))
        if len(seen) < 3:
            bench.consumer.queue.append(lambda: bench.consumer.assign({4}))
            raise database_away()

    bench.handler.fails = fail
    bench.run(message(0))
    assert seen[-1] == {0, 1, 2, 3, 4}
    assert bench.consumer.paused == set()


def test_a_partition_that_left_while_resting_is_read_when_it_comes_back() -> None:
    bench = Bench()
    bench.handler.fails = failing(
        1, database_away(), lambda: bench.consumer.queue.append(lambda: bench.consumer.revoke({1}))
    )
    bench.run(message(0))
    bench.consumer.paused = {1}  # the client remembers
    bench.consumer.assign({1})
    assert bench.consumer.paused == set()


def test_a_message_that_comes_while_resting_is_handled_after_those_in_hand() -> None:
    bench = Bench()
    bench.consumer.deaf_to_pause = {3}
    bench.handler.fails = failing(1, database_away(), lambda: bench.consumer.queue.append(message(9, partition=3)))
    bench.run(message(0))
    assert bench.handler.handled == ["m0", "m9"]
    assert bench.consumer.stored == {0: 1, 3: 10}


def test_stopping_lets_the_batch_in_hand_finish() -> None:
    bench = Bench()
    bench.handler.fails = lambda _messages: void(bench.loop.stop())
    bench.run(message(0), message(1))
    assert bench.journal == ["committed", "replied", "stored"]
    assert bench.consumer.closed


def test_a_batch_that_waits_for_the_database_is_left_to_the_next_consumer_at_a_stop() -> None:
    bench = Bench()
    bench.handler.fails = failing(99, database_away(), bench.loop.stop)
    bench.run(message(0))
    assert bench.consumer.stored == {}
    assert bench.consumer.closed


def test_a_passing_error_of_the_client_is_passed_over() -> None:
    bench = Bench()
    bench.run(failure(KafkaError(KafkaError.REQUEST_TIMED_OUT)), message(0))
    assert bench.handler.handled == ["m0"]


def test_a_client_beyond_use_ends_the_loop() -> None:
    bench = Bench()
    with pytest.raises(KafkaException):
        bench.run(failure(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, fatal=True)), message(0))
    assert bench.consumer.closed


def test_offsets_of_a_partition_that_was_lost_are_no_reason_to_die() -> None:
    bench = Bench()
    bench.consumer.refuses_offsets = True
    bench.run(message(0))
    assert bench.replier.replies == [[("m0", "M0")]]


def test_the_lag_is_what_waits_behind_the_messages_taken() -> None:
    bench = Bench()
    bench.consumer.ends = {0: 10, 1: 4, 2: 3}
    bench.consumer.on_idle = lambda: bench.time.now > 102 and bench.loop.stop()
    bench.run(message(3), message(3, partition=1))
    assert bench.loop.lag == 6  # 10 - 4 in the first, none in the second, nothing taken of the third


def test_the_heartbeat_ages_while_the_loop_hangs() -> None:
    bench = Bench()
    ages: list[float] = []

    def hang(_messages: Sequence[str]) -> None:
        bench.time.now += 42
        ages.append(bench.loop.heartbeat_age_s)

    bench.handler.fails = hang
    bench.run(message(0))
    assert ages == [42]
