"""The outbox relay as a process of its own that kills or freezes itself where it is told to."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from consumers.database import set_idle_session_timeout
from consumers.outbox_relay import LEASE_NAME, OutboxRelay, RelayLimits
from domain.outbox import Order, WaitingEvent
from domain.unit_of_work import Store
from integrations.kafka.event_publisher import DeliveryFailure, EventPublisher
from integrations.lease import Lease
from integrations.logs import configure_logging
from integrations.settings import KafkaSettings, Settings


class RelayPoint(StrEnum):
    """Where the relay dies or freezes."""

    NOWHERE = "nowhere"
    BEFORE_REMOVAL = "before_removal"  # published, and nobody knows
    FROZEN_BEFORE_REMOVAL = "frozen_before_removal"  # until it is woken; once


class DoomedPublisher(EventPublisher):
    def __init__(self, settings: KafkaSettings, point: RelayPoint, after: int) -> None:
        super().__init__(settings)
        self._point = point
        self._left = after

    def publish(
        self, events: Sequence[WaitingEvent], while_waiting: Callable[[], None]
    ) -> Mapping[Order, DeliveryFailure]:
        failures = super().publish(events, while_waiting)
        self._left -= len(events)
        if self._left <= 0 and self._point is not RelayPoint.NOWHERE:
            killed = self._point is RelayPoint.BEFORE_REMOVAL
            self._point = RelayPoint.NOWHERE
            os.kill(os.getpid(), signal.SIGKILL if killed else signal.SIGSTOP)
        return failures


def run(settings: Settings, point: RelayPoint, after: int, lease_lasts_s: int) -> None:
    """Relay until killed.

    Args:
        settings: where the database and Kafka are.
        point: where it strikes.
        after: the number of events, those in hand included, from which on it does.
        lease_lasts_s: how long after its last renewal another relay may take the lease.
    """
    configure_logging(settings)
    store = Store(settings.database.url.get_secret_value(), pool_size=1)
    set_idle_session_timeout(store.engine, lease_lasts_s)
    publisher = DoomedPublisher(settings.kafka, point, after)
    lease = Lease(store, LEASE_NAME, timedelta(seconds=lease_lasts_s))
    OutboxRelay(lease, publisher, limits=RelayLimits(batch_max=20)).run()
