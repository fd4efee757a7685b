"""The loop gathers messages for a time before it handles them, when it is asked to."""

from tests.unit.consumers.fakes import LoopBench, message


def test_messages_are_gathered_for_a_time_and_handled_together() -> None:
    bench = LoopBench(linger_s=1.0)
    ages: list[float] = []

    def more() -> None:
        ages.append(bench.loop.pending_age_s)
        if len(ages) == 2:
            bench.consumer.queue.append(message(1))
        if bench.handler.calls:
            bench.loop.stop()

    bench.consumer.on_idle = more
    bench.run(message(0))
    assert bench.handler.calls == [["m0", "m1"]]
    assert bench.consumer.stored == {0: 2}
    assert max(ages) >= 0.8
    assert bench.loop.pending_age_s == 0


def test_a_full_batch_is_handled_at_once() -> None:
    bench = LoopBench(batch_max=2, linger_s=100.0)
    bench.run(message(0), message(1), message(2))
    assert bench.handler.calls == [["m0", "m1"]], "the third waits for others, and is read again by the next consumer"
    assert bench.consumer.stored == {0: 2}


def test_gathered_messages_of_a_revoked_partition_are_dropped() -> None:
    bench = LoopBench(linger_s=0.5)
    bench.consumer.on_idle = lambda: bench.loop.stop() if bench.handler.calls else None
    bench.run(message(0), lambda: bench.consumer.revoke({0}), message(0, partition=1))
    assert bench.handler.calls == [["m0"]]
    assert bench.consumer.stored == {1: 1}
