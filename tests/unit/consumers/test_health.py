"""A dead or hanging thread makes a replica unhealthy."""

from threading import Event
from types import SimpleNamespace

import pytest

from consumers.background_thread import BackgroundThread
from consumers.health import ConsumerUnhealthyError, check_loop, check_workers


class Waiting(BackgroundThread):
    """Beats once, then waits for its end."""

    def __init__(self) -> None:
        self.now = 100.0
        self.has_beaten = Event()
        super().__init__("waiting", lambda: self.now)

    def run(self) -> None:
        self._beat()
        self.has_beaten.set()
        self._stopping.wait(60)


def test_a_loop_is_unhealthy_before_its_start_after_its_end_and_without_a_heartbeat() -> None:
    loop = Waiting()
    with pytest.raises(ConsumerUnhealthyError, match="has ended"):
        check_loop(loop, 30)
    loop.start()
    assert loop.has_beaten.wait(60)
    loop.now += 30
    check_loop(loop, 30)
    loop.now += 1
    with pytest.raises(ConsumerUnhealthyError, match="31 s ago"):
        check_loop(loop, 30)
    assert loop.stop(60)
    loop.now = 100.0
    with pytest.raises(ConsumerUnhealthyError, match="has ended"):
        check_loop(loop, 30)


def test_an_unhealthy_worker_is_named() -> None:
    healthy, hanging = SimpleNamespace(healthy=True), SimpleNamespace(healthy=False)
    check_workers([("outbox-relay", healthy)])
    with pytest.raises(ConsumerUnhealthyError, match="reminders"):
        check_workers([("outbox-relay", healthy), ("reminders", hanging)])
