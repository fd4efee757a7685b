"""Machines in the oracle: who uses which, and what happens when a visit ends or continues."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

VisitKey = tuple[object, ...]


@dataclass
class Use:
    """A use of a machine; `ended_at` is set when its visit ends."""

    machine: UUID
    member: UUID
    gym: UUID
    visit: VisitKey
    began_at: datetime
    ended_at: datetime | None = None


class Machines:
    """The machines that are in use, by machine."""

    def __init__(self) -> None:
        self.uses: dict[UUID, Use] = {}
        self._ended: list[Use] = []
        self._before: Mapping[VisitKey, datetime | None] = {}

    def is_busy(self, member: UUID) -> bool:
        """Whether a member uses a machine."""
        return any(use.member == member for use in self.uses.values())

    def tidied(self, gym: UUID, since: datetime) -> None:
        """End the uses that began before a moment."""
        for use in list(self.uses.values()):
            if use.gym == gym and use.began_at < since:
                del self.uses[use.machine]

    def follow(self, visits: Mapping[VisitKey, datetime | None], now: datetime) -> None:
        """Free the machines of visits that ended, and resume the uses of visits that continue.

        Args:
            visits: when each ended.
        """
        for use in list(self.uses.values()):
            if use.visit not in visits or visits[use.visit] is not None:
                del self.uses[use.machine]
                if use.visit in visits:
                    use.ended_at = now
                    self._ended.append(use)
        for key, left_at in visits.items():
            before = self._before.get(key)
            if left_at is None and before is not None:
                self._resume(key, before)
        self._before = visits

    def _resume(self, visit: VisitKey, left_at: datetime) -> None:
        ended = [use for use in self._ended if use.visit == visit and use.ended_at and use.ended_at >= left_at]
        if not ended:
            return
        use = max(ended, key=lambda one: one.ended_at or one.began_at)
        if use.machine not in self.uses and not self.is_busy(use.member):
            self._ended.remove(use)
            use.ended_at = None
            self.uses[use.machine] = use
