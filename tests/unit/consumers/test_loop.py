from collections.abc import Callable, Sequence
from itertools import pairwise

import pymysql
import pytest
from confluent_kafka import KafkaError, KafkaException
from sqlalchemy.exc import OperationalError

from tests.unit.consumers.fakes import LoopBench, failure, message


def database_unavailable() -> OperationalError:
    return OperationalError("SELECT 1", {}, pymysql.err.OperationalError(2003, "no connection"))


def failing(times: int, error: Exception, then: Callable[[], object] = lambda: None) -> Callable[[Sequence[str]], None]:
    """A handler that fails this many times and calls `then` each time."""
    left = [times]

    def fail(_messages: Sequence[str]) -> None:
        if left[0]:
            left[0] -= 1
            then()
            raise error

    return fail


def void(_result: object) -> None:
    """Discard the result of a callback."""


def test_offsets_are_stored_after_the_commit_and_the_replies() -> None:
    bench = LoopBench()
    bench.run(message(7))
    assert bench.journal == ["committed", "replied", "stored"]
    assert bench.consumer.stored == {0: 8}


def test_the_hook_after_a_commit_runs_after_the_replies_and_before_the_offsets() -> None:
    bench = LoopBench()
    bench.records_after_commit = True
    bench.run(message(7))
    assert bench.journal == ["committed", "replied", "after_commit", "stored"]


def test_all_unread_messages_are_one_batch() -> None:
    bench = LoopBench()
    bench.run(message(0), message(1), message(0, "other", partition=1))
    assert bench.handler.calls == [["m0", "m1", "other"]]
    assert bench.replier.replies == [[("m0", "M0"), ("m1", "M1"), ("other", "OTHER")]]
    assert bench.consumer.stored == {0: 2, 1: 1}


def test_the_first_assignment_of_partitions_can_be_waited_for() -> None:
    bench = LoopBench()
    assert not bench.loop.wait_for_partitions(0)
    bench.run(message(0))
    assert bench.loop.wait_for_partitions(0)


def test_a_batch_is_bounded() -> None:
    bench = LoopBench(batch_max=2)
    bench.run(*[message(offset) for offset in range(5)])
    assert bench.handler.calls == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    assert bench.loop.stats.mean_batch == pytest.approx(5 / 3)


def test_undecodable_messages_go_to_the_dead_letters_after_the_others_are_handled() -> None:
    bench = LoopBench()
    bench.run(message(0), message(1, "bad one"), message(2))
    assert bench.handler.handled == ["m0", "m2"]
    assert bench.dead_letters.letters == [(1, "undecodable: ValueError: bad one")]
    assert bench.journal == ["committed", "replied", "dead_lettered", "stored"]
    assert bench.consumer.stored == {0: 3}
    assert bench.loop.stats.dead_letters == 1


def test_a_message_is_not_skipped_while_its_dead_letter_cannot_be_written() -> None:
    bench = LoopBench()
    bench.dead_letters.unavailable_for = 3
    bench.run(message(0, "bad one"), message(1))
    assert bench.journal == ["committed", "replied", "dead_lettered", "stored"]
    assert bench.dead_letters.letters == [(0, "undecodable: ValueError: bad one")]
    assert bench.consumer.stored == {0: 2}


def test_time_busy_does_not_include_waits_for_unavailable_systems() -> None:
    bench = LoopBench()

    def take_a_second(_messages: Sequence[str]) -> None:
        bench.time.now += 1.0

    bench.handler.fails = take_a_second
    bench.run(message(0))
    assert bench.loop.stats.busy_s == pytest.approx(1.0)
    waiting = LoopBench()
    waiting.handler.fails = failing(3, database_unavailable())
    waiting.run(message(0))
    assert waiting.loop.stats.busy_s == pytest.approx(0.0)
    assert waiting.loop.stats.messages == 1


def test_while_the_database_is_unavailable_the_partitions_are_paused_and_the_batch_stays_pending() -> None:
    bench = LoopBench()
    paused: list[set[int]] = []
    bench.handler.fails = failing(3, database_unavailable(), lambda: paused.append(set(bench.consumer.paused)))
    bench.run(message(0), message(1))
    assert bench.handler.calls == [["m0", "m1"]] * 4
    assert paused == [set(), {0, 1, 2, 3}, {0, 1, 2, 3}]
    assert bench.consumer.paused == set()
    assert bench.journal == ["committed", "replied", "stored"]


def test_the_delay_between_retries_grows_to_a_second() -> None:
    bench = LoopBench()
    asked_at: list[float] = []
    bench.handler.fails = failing(8, database_unavailable(), lambda: asked_at.append(bench.time.now))
    bench.run(message(0))
    waits = [round(later - earlier, 2) for earlier, later in pairwise(asked_at)]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert max(bench.consumer.waits) <= 0.2  # and it keeps polling meanwhile


def test_pending_messages_of_revoked_partitions_are_dropped() -> None:
    bench = LoopBench()
    bench.handler.fails = failing(
        1, database_unavailable(), lambda: bench.consumer.queue.append(lambda: bench.consumer.revoke({1}))
    )
    bench.run(message(0), message(0, "gone", partition=1), message(1))
    assert bench.handler.handled == ["m0", "m1"]
    assert bench.consumer.stored == {0: 2}


def test_a_batch_that_was_revoked_whole_is_not_handled() -> None:
    bench = LoopBench()
    bench.handler.fails = failing(
        1, database_unavailable(), lambda: bench.consumer.queue.append(lambda: bench.consumer.revoke({0}))
    )
    bench.run(message(0), message(1, "bad one"))
    assert bench.handler.handled == []
    assert bench.dead_letters.letters == []
    assert bench.consumer.stored == {}


def test_a_partition_may_be_revoked_between_the_first_message_and_the_rest() -> None:
    bench = LoopBench()
    bench.run(message(0), lambda: bench.consumer.revoke({0}), message(5, partition=1))
    assert bench.handler.handled == ["m5"]
    assert bench.consumer.stored == {1: 6}


def test_partitions_assigned_during_a_pause_are_paused_too() -> None:
    bench = LoopBench()
    seen: list[set[int]] = []

    def fail(_messages: Sequence[str]) -> None:
        seen.append(set(bench.consumer.paused))
        if len(seen) < 3:
            bench.consumer.queue.append(lambda: bench.consumer.assign({4}))
            raise database_unavailable()

    bench.handler.fails = fail
    bench.run(message(0))
    assert seen[-1] == {0, 1, 2, 3, 4}
    assert bench.consumer.paused == set()


def test_a_partition_revoked_during_a_pause_is_read_when_it_comes_back() -> None:
    bench = LoopBench()
    bench.handler.fails = failing(
        1, database_unavailable(), lambda: bench.consumer.queue.append(lambda: bench.consumer.revoke({1}))
    )
    bench.run(message(0))
    bench.consumer.paused = {1}  # the client remembers
    bench.consumer.assign({1})
    assert bench.consumer.paused == set()


def test_a_message_that_arrives_during_a_pause_is_handled_after_the_pending_ones() -> None:
    bench = LoopBench()
    bench.consumer.deaf_to_pause = {3}
    bench.handler.fails = failing(
        1, database_unavailable(), lambda: bench.consumer.queue.append(message(9, partition=3))
    )
    bench.run(message(0))
    assert bench.handler.handled == ["m0", "m9"]
    assert bench.consumer.stored == {0: 1, 3: 10}


def test_stopping_finishes_the_pending_batch() -> None:
    bench = LoopBench()
    bench.handler.fails = lambda _messages: void(bench.loop.stop())
    bench.run(message(0), message(1))
    assert bench.journal == ["committed", "replied", "stored"]
    assert bench.consumer.closed


def test_a_stop_leaves_a_batch_that_waits_for_the_database_to_the_next_consumer() -> None:
    bench = LoopBench()
    bench.handler.fails = failing(99, database_unavailable(), bench.loop.stop)
    bench.run(message(0))
    assert bench.consumer.stored == {}
    assert bench.consumer.closed


def test_a_transient_error_of_the_client_is_ignored() -> None:
    bench = LoopBench()
    bench.run(failure(KafkaError(KafkaError.REQUEST_TIMED_OUT)), message(0))
    assert bench.handler.handled == ["m0"]


def test_a_fatal_error_of_the_client_ends_the_loop() -> None:
    bench = LoopBench()
    with pytest.raises(KafkaException):
        bench.run(failure(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, fatal=True)), message(0))
    assert bench.consumer.closed


def test_offsets_of_a_lost_partition_do_not_end_the_loop() -> None:
    bench = LoopBench()
    bench.consumer.refuses_offsets = True
    bench.run(message(0))
    assert bench.replier.replies == [[("m0", "M0")]]


def test_the_lag_is_the_number_of_unread_messages() -> None:
    bench = LoopBench()
    bench.consumer.ends = {0: 10, 1: 4, 2: 3}
    bench.consumer.on_idle = lambda: bench.time.now > 102 and bench.loop.stop()
    bench.run(message(3), message(3, partition=1))
    assert bench.loop.lag == 6  # 10 - 4 in the first, none in the second, nothing taken of the third


def test_the_heartbeat_ages_while_the_loop_hangs() -> None:
    bench = LoopBench()
    ages: list[float] = []

    def hang(_messages: Sequence[str]) -> None:
        bench.time.now += 42
        ages.append(bench.loop.heartbeat_age_s)

    bench.handler.fails = hang
    bench.run(message(0))
    assert ages == [42]
