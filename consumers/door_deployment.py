"""The consumers as Serve deployments: Serve places, watches, restarts and scales them."""

from threading import Event
from typing import TYPE_CHECKING

from consumers.counting import CountedHandler, CountedReplier
from consumers.door import DoorParts
from consumers.outbox_relay import outbox_relay
from consumers.scaling import BUSY_S, HANDLED, LAG
from consumers.timekeeper import timekeeper
from consumers.waking import WakingReplier
from integrations.logs import configure_logging
from integrations.metrics import (
    DEAD_LETTERS,
    LOST_REPLIES,
    OUTBOX_ACTIVE,
    OUTBOX_AGE,
    OUTBOX_LAG,
    OUTBOX_PUBLISHED,
)
from integrations.metrics import LAG as LAG_METRIC
from integrations.replica import Replica
from integrations.settings import Settings, settings
from integrations.tally import RaySink, Tally

if TYPE_CHECKING:
    from ray.serve import Application

# Longer than the slowest unit of work that still makes headway: four waits for a lock, five seconds each.
STALE_AFTER_S = 30.0
_STOP_S = 10.0
_FIRST_PARTITIONS_WITHIN_S = 10.0  # Kafka may be away, or have fewer partitions than there are consumers
_RELAY_STOP_S = 5.0


class ConsumerUnhealthyError(RuntimeError):
    """The consumer has died or hangs; Serve replaces the replica."""


class DoorConsumer(Replica):
    """Decides what comes on `door-commands`; beside it run an outbox relay and a timekeeper. Takes no requests.

    Args:
        configured: the settings; those of the environment when None.
        reports: whether its metrics go to Ray, which takes them from replicas only.
    """

    def __init__(self, configured: Settings | None = None, *, reports: bool = False) -> None:
        configured = configured or settings()
        configure_logging(configured)
        self._tally = tally = Tally()
        self.closing.add("tally", tally.stop)
        parts = DoorParts(configured)
        parts.handler = CountedHandler(parts.handler, tally)
        news = Event()
        parts.replier = WakingReplier(CountedReplier(parts.replier, tally), news)
        self._loop = loop = parts.loop()
        self.closing.add("parts", lambda: None if loop.alive else parts.close())
        self._relay = relay = outbox_relay(configured, news)
        self.closing.add("relay", lambda: relay.stop(_RELAY_STOP_S))
        self._timekeeper = keeper = timekeeper(configured)
        self.closing.add("timekeeper", lambda: keeper.stop(_RELAY_STOP_S))
        self.closing.add("loop", lambda: loop.stop(_STOP_S))  # the batch in hand is finished, the group left
        self.closing.add("threads", lambda: [thread.stop(0) for thread in (loop, relay, keeper)])  # all at once
        tally.reads(LAG_METRIC, lambda: loop.lag)
        tally.reads(DEAD_LETTERS, lambda: loop.stats.dead_letters)
        tally.reads(LOST_REPLIES, lambda: parts.sender.lost)
        tally.reads(OUTBOX_LAG, lambda: relay.lag)
        tally.reads(OUTBOX_AGE, lambda: relay.oldest_age_s)
        tally.reads(OUTBOX_ACTIVE, lambda: relay.is_active)
        tally.reads(OUTBOX_PUBLISHED, lambda: relay.published)
        loop.start()
        relay.start()
        self._timekeeper.start()
        if reports:
            tally.start(RaySink)
        # Serve takes a replica for ready when this ends: the door is not, before the group has given partitions.
        loop.wait_for_partitions(_FIRST_PARTITIONS_WITHIN_S)

    def check_health(self) -> None:
        """Serve's question whether this replica may live on.

        Raises:
            ConsumerUnhealthyError: its thread has died, or has shown no sign of life for too long.
        """
        if not self._loop.alive:
            raise ConsumerUnhealthyError("the consumer's thread has ended")
        if self._loop.heartbeat_age_s > STALE_AFTER_S:
            raise ConsumerUnhealthyError(f"no sign of life for {self._loop.heartbeat_age_s:.0f} s")
        if not self._relay.healthy:
            raise ConsumerUnhealthyError("the outbox relay has ended, or hangs and may have the lease")
        if not self._timekeeper.healthy:
            raise ConsumerUnhealthyError("the timekeeper has ended, or hangs and may have the lease")

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What the scaling policy goes by."""
        stats = self._loop.stats
        return {LAG: float(self._loop.lag), HANDLED: float(stats.messages), BUSY_S: stats.busy_s}


def build(_args: dict[str, str]) -> "Application":
    """The application `door_consumers` of `serve_config.yaml`."""
    from ray import serve  # noqa: PLC0415 - only who builds the application needs Ray; its import takes a second

    deployed = serve.deployment(graceful_shutdown_timeout_s=2 * _STOP_S, health_check_period_s=1)(DoorConsumer)
    return deployed.bind(reports=True)
