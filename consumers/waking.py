"""What wakes the outbox relay beside a consumer: put around the replier, which knows nothing of it."""

from collections.abc import Sequence
from threading import Event

from consumers.handler import Replier
from domain.door.model import DoorResult
from integrations.kafka.messages import DoorCommand


class WakingReplier:
    """Says that there are events, once doors were told: which is after scans and their events were committed.

    Args:
        replier: tells doors.
        news: set where the outbox may hold something new.
    """

    def __init__(self, replier: Replier[DoorCommand, DoorResult], news: Event) -> None:
        self._replier = replier
        self._news = news

    def reply(self, answered: Sequence[tuple[DoorCommand, DoorResult]]) -> None:
        """Tell the answers; the relay waits behind the doors."""
        self._replier.reply(answered)
        self._news.set()
