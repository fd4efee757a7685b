"""A deferred message waits alone, and no message of its key overtakes it."""

from collections.abc import Sequence

import pymysql
from sqlalchemy.exc import OperationalError

from tests.unit.consumers.fakes import LoopBench, message


def freed_after(bench: LoopBench, calls: int) -> None:
    """The handler defers no message after this many calls."""

    def count(_messages: Sequence[str]) -> None:
        if len(bench.handler.calls) > calls:
            bench.handler.deferred.clear()

    bench.handler.fails = count


def test_a_deferred_message_comes_again_and_the_others_are_answered_at_once() -> None:
    bench = LoopBench(batch_max=3)
    bench.handler.deferred = {"m1"}
    freed_after(bench, 2)
    bench.run(message(0), message(1, key=b"g"), message(2), message(3), message(4), message(5), message(6))
    assert bench.handler.calls == [["m0", "m1", "m2"], ["m1", "m3", "m4", "m5"], ["m1", "m6"]]
    assert bench.replier.replies[0] == [("m0", "M0"), ("m2", "M2")]
    assert bench.handler.handled == ["m0", "m2", "m3", "m4", "m5", "m1", "m6"]
    assert bench.loop.stats.messages == 7


def test_no_offset_is_stored_past_a_deferred_message_until_it_is_handled() -> None:
    bench = LoopBench(batch_max=3)
    bench.handler.deferred = {"m1"}
    seen: list[dict[int, int]] = []

    def look(_messages: Sequence[str]) -> None:
        seen.append(dict(bench.consumer.stored))
        if len(seen) == 3:
            bench.handler.deferred.clear()

    bench.handler.fails = look
    bench.run(*[message(offset) for offset in range(7)])
    assert seen == [{}, {0: 1}, {0: 1}]
    assert bench.consumer.stored == {0: 7}


def test_a_deferred_message_is_soon_retried_when_nothing_else_arrives() -> None:
    bench = LoopBench()
    bench.handler.deferred = {"m0"}
    bench.consumer.on_idle = lambda: None

    def free(_messages: Sequence[str]) -> None:
        if len(bench.handler.calls) == 3:
            bench.handler.deferred.clear()
            bench.consumer.on_idle = bench.loop.stop

    bench.handler.fails = free
    bench.run(message(0))
    assert bench.handler.calls == [["m0"], ["m0"], ["m0"]]
    assert bench.consumer.waits[-3:-1] == [0.02, 0.02]


def test_a_stop_leaves_deferred_messages_to_the_next_owner() -> None:
    bench = LoopBench()
    bench.handler.deferred = {"m1"}
    bench.run(message(0), message(1), message(2))
    assert bench.handler.handled == ["m0", "m2"]
    assert bench.consumer.stored == {0: 1}


def test_deferred_messages_of_a_revoked_partition_are_dropped() -> None:
    bench = LoopBench(batch_max=2)
    bench.handler.deferred = {"here", "there"}
    freed_after(bench, 1)
    bench.run(message(0, "here"), message(0, "there", partition=1), lambda: bench.consumer.revoke({1}), message(1))
    assert "there" not in bench.handler.handled
    assert bench.handler.handled == ["here", "m1"]
    assert bench.consumer.stored == {0: 2, 1: 0}


def test_too_many_deferred_messages_pause_their_partition_and_no_other() -> None:
    bench = LoopBench(batch_max=3, deferred_max=2)
    bench.handler.deferred = {"m0", "m1", "m2"}
    paused: list[set[int]] = []

    def look(_messages: Sequence[str]) -> None:
        paused.append(set(bench.consumer.paused))
        if len(paused) == 2:
            bench.handler.deferred.clear()

    bench.handler.fails = look
    bench.run(*[message(offset) for offset in range(3)], message(0, "other", partition=1), message(3))
    assert paused[:2] == [set(), {0}]
    assert bench.handler.calls[1] == ["m0", "m1", "m2", "other"]
    assert bench.handler.handled == ["m0", "m1", "m2", "other", "m3"]
    assert bench.consumer.paused == set()


def test_in_a_split_batch_no_message_overtakes_a_deferred_one_of_its_key() -> None:
    bench = LoopBench()
    bench.handler.deferred = {"first"}

    def poisoned(messages: Sequence[str]) -> None:
        if "poison" in messages:
            raise OperationalError("INSERT", {}, pymysql.err.OperationalError(1366, "not this"))

    bench.handler.fails = poisoned
    bench.run(
        message(0, "first", key=b"a"),
        message(1, "b1", key=b"b"),
        message(2, "poison", key=b"c"),
        message(3, "second", key=b"a"),
    )
    assert bench.handler.calls[1:] == [["first", "b1"], ["poison"], ["first", "second"]]
    assert [offset for offset, _ in bench.dead_letters.letters] == [2]
    assert bench.consumer.stored == {0: 0}
