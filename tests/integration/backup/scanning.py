"""A thread in which members enter and leave until it is stopped."""

import time
from threading import Event, Thread
from types import TracebackType
from typing import Self
from uuid import UUID

from domain.door.model import Direction, ScanAnswer, ScanRequest
from domain.unit_of_work import Store
from tests.world import World

_MEMBERS = 40
_PATIENCE_S = 60.0


class Scanning:
    """Scans that are decided while something else is done.

    Args:
        url: of a migrated store.
    """

    def __init__(self, url: str) -> None:
        self._store = Store(url)
        self._world = World(self._store)
        self._gym = self._world.gym(reentry_after_s=None)
        self._members = self._world.members(_MEMBERS)
        self._enough = Event()
        self._thread = Thread(target=self._go_on)
        self.error: BaseException | None = None
        self.answered = 0
        self.last: tuple[ScanRequest, ScanAnswer] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()
        self._store.close()

    def wait_answered(self, more: int) -> None:
        """Wait until so many more are decided."""
        until, give_up_at = self.answered + more, time.monotonic() + _PATIENCE_S
        while self.answered < until:
            assert self.error is None, self.error
            assert time.monotonic() < give_up_at, "scans are held up"
            time.sleep(0.002)

    def _go_on(self) -> None:
        try:
            while not self._enough.is_set():
                for member in self._members:
                    self._pass_by(member)
                self._world.clock.forward(60)
        except BaseException as error:  # noqa: BLE001 - the test asks for it
            self.error = error

    def _pass_by(self, member: UUID) -> None:
        self._world.clock.forward(0.01)
        request = self._world.scan(self._gym, self._world.code(member), Direction.AUTO)
        answer = self._world.answer(request)
        assert answer.outcome in {"entered", "left"}, answer
        self.last = request, answer
        self.answered += 1
