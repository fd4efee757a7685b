"""The health checks that Serve runs on consumers. A dead or hanging thread makes Serve replace the replica."""

from collections.abc import Iterable
from typing import Protocol

from consumers.background_thread import BackgroundThread


class ConsumerUnhealthyError(RuntimeError):
    """A thread of the consumer has ended or hangs."""


class LeasedWorker(Protocol):
    """A thread that works while it holds a lease. If it hangs, it keeps the lease and no other replica can work."""

    @property
    def healthy(self) -> bool:
        """Whether it works or waits for its lease."""


def check_loop(loop: BackgroundThread, stale_after_s: float) -> None:
    """Check the thread that reads from Kafka.

    Args:
        loop: the thread.
        stale_after_s: longest age of its last heartbeat, in seconds.

    Raises:
        ConsumerUnhealthyError: it has ended or hangs.
    """
    if not loop.alive:
        raise ConsumerUnhealthyError("The consumer's thread has ended")
    if loop.heartbeat_age_s > stale_after_s:
        raise ConsumerUnhealthyError(f"The consumer's last heartbeat was {loop.heartbeat_age_s:.0f} s ago")


def check_workers(workers: Iterable[tuple[str, LeasedWorker]]) -> None:
    """Check threads that work under a lease, each given with its name.

    Raises:
        ConsumerUnhealthyError: one of them has ended or hangs.
    """
    for name, worker in workers:
        if not worker.healthy:
            raise ConsumerUnhealthyError(f"Thread {name} has ended, or hangs and may hold its lease")
