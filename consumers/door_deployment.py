"""The door's consumer as a Serve deployment: Serve places, checks, restarts and scales it."""

from typing import TYPE_CHECKING

from consumers.door import DoorConsumerDependencies
from consumers.health import check_loop, check_workers
from consumers.outbox_relay import open_outbox_relay
from consumers.periodic_jobs import ForgottenVisitsJob, job_lease
from consumers.scaling import autoscaling_stats
from integrations.kafka.command_producer import CommandProducer
from integrations.logs import configure_logging
from integrations.metrics import (
    DEAD_LETTERS,
    LAG,
    LOST_REPLIES,
    OUTBOX_ACTIVE,
    OUTBOX_AGE,
    OUTBOX_LAG,
    OUTBOX_PUBLISHED,
)
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.replica import Replica
from integrations.settings import Settings, settings

if TYPE_CHECKING:
    from ray.serve import Application

# Longer than the slowest unit of work that still makes progress: four lock waits of five seconds each.
STALE_AFTER_S = 30.0
_LOOP_STOP_S = 10.0
_WORKER_STOP_S = 5.0
_FIRST_PARTITIONS_S = 10.0  # Kafka may be unavailable, or there are fewer partitions than consumers


class DoorConsumer(Replica):
    """Decides the commands of `door-commands`. GateDirections no requests.

    An outbox relay and the job for forgotten visits run beside it.

    Args:
        configured: the settings; None: from the environment.
        reports: whether to export metrics to Ray, which only a replica of Serve can.
    """

    def __init__(self, configured: Settings | None = None, *, reports: bool = False) -> None:
        configured = configured or settings()
        configure_logging(configured)
        self._metrics = metrics = MetricsRegistry()
        self.resources.add("metrics", metrics.stop)
        self._relay = relay = open_outbox_relay(configured)
        dependencies = DoorConsumerDependencies(configured, metrics)
        self._loop = loop = dependencies.build_loop(after_commit=relay.wake)
        self.resources.add("dependencies", lambda: None if loop.alive else dependencies.close())
        self.resources.add("relay", lambda: relay.stop(_WORKER_STOP_S))
        self._forgotten_visits = job = ForgottenVisitsJob(
            job_lease(configured.database, "forgotten-visits"),
            CommandProducer(configured),
            configured.door.expire_visits_every_s,
        )
        self.resources.add("forgotten_visits", lambda: job.stop(_WORKER_STOP_S))
        self.resources.add("loop", lambda: loop.stop(_LOOP_STOP_S))  # finishes the pending batch and leaves the group
        self.resources.add("threads", lambda: [thread.stop(0) for thread in (loop, relay, job)])  # all at the same time
        metrics.add_callback(LAG, lambda: loop.lag)
        metrics.add_callback(DEAD_LETTERS, lambda: loop.stats.dead_letters)
        metrics.add_callback(LOST_REPLIES, lambda: dependencies.sender.lost)
        metrics.add_callback(OUTBOX_LAG, lambda: relay.lag)
        metrics.add_callback(OUTBOX_AGE, lambda: relay.oldest_age_s)
        metrics.add_callback(OUTBOX_ACTIVE, lambda: relay.is_active)
        metrics.add_callback(OUTBOX_PUBLISHED, lambda: relay.published)
        loop.start()
        relay.start()
        job.start()
        if reports:
            metrics.start(RayExporter)
        # Serve treats the replica as ready once the constructor returns. The door is ready once it has partitions.
        loop.wait_for_partitions(_FIRST_PARTITIONS_S)

    def check_health(self) -> None:
        """The health check of Serve.

        Raises:
            ConsumerUnhealthyError: a thread has ended or hangs. Serve replaces the replica.
        """
        check_loop(self._loop, STALE_AFTER_S)
        check_workers([("outbox-relay", self._relay), ("forgotten-visits", self._forgotten_visits)])

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The input of the scaling policy."""
        return autoscaling_stats(self._loop)


def build(_args: dict[str, str]) -> "Application":
    """The application `door_consumers` of `serve_config.yaml`."""
    from ray import serve  # noqa: PLC0415 - only the builder of the application needs Ray; the import takes a second

    deployment = serve.deployment(graceful_shutdown_timeout_s=2 * _LOOP_STOP_S, health_check_period_s=1)(DoorConsumer)
    return deployment.bind(reports=True)
