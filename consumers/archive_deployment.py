"""The archive's consumer as a Serve deployment."""

import os
from functools import partial
from typing import TYPE_CHECKING

import structlog

from consumers.health import check_loop, check_workers
from consumers.periodic_jobs import job_lease
from consumers.scaling import autoscaling_stats
from integrations.logs import configure_logging
from integrations.metrics import (
    ARCHIVE_COMMITS,
    ARCHIVE_CONFLICTS,
    ARCHIVE_DEAD_LETTERS,
    ARCHIVE_INCOMPLETE,
    ARCHIVE_LAG,
    ARCHIVE_PENDING_SECONDS,
    ARCHIVE_REWRITTEN_DAYS,
    ARCHIVE_ROWS,
)
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.replica import Replica
from integrations.settings import Settings, settings

if TYPE_CHECKING:
    from ray.serve import Application

    from consumers.archive import ArchiveConsumerDependencies, ArchiveLoop
    from consumers.archive_job import ArchiveJob

_log = structlog.get_logger(__name__)

# A commit gives up after about a minute, and the first one that does ends the batch.
STALE_AFTER_S = 180.0
_LOOP_STOP_S = 10.0
_JOB_STOP_S = 4.0
_NICENESS = 5  # no door waits for the archive
# Both libraries start a thread per core otherwise.
_THREADS = {"POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "2"}


class ArchiveConsumer(Replica):
    """Writes the events of `gym-events` to the attendance archive. Serves no requests.

    The job that verifies and compacts the archive runs beside it. Without `archive.url` nothing runs.

    Args:
        configured: the settings; None: from the environment.
        reports: whether it is a replica of Serve: then it exports metrics to Ray and lowers its own priority.
    """

    def __init__(self, configured: Settings | None = None, *, reports: bool = False) -> None:
        configured = configured or settings()
        configure_logging(configured)
        self._metrics = metrics = MetricsRegistry()
        self.resources.add("metrics", metrics.stop)
        self._loop: ArchiveLoop | None = None
        self._job: ArchiveJob | None = None
        if reports:
            os.nice(_NICENESS)
        if configured.archive.url:
            self._start(configured)
        else:
            _log.warning("archive_not_configured", setting="FITMONITOR_ARCHIVE__URL")
        if reports:
            metrics.start(RayExporter)

    def check_health(self) -> None:
        """The health check of Serve.

        Raises:
            ConsumerUnhealthyError: a thread has ended or hangs. Serve replaces the replica.
        """
        if self._loop is not None:
            check_loop(self._loop, STALE_AFTER_S)
        if self._job is not None:
            check_workers([("archive", self._job)])

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The input of the scaling policy."""
        return autoscaling_stats(self._loop)

    def _start(self, configured: Settings) -> None:
        for name, value in _THREADS.items():
            os.environ.setdefault(name, value)
        # Imported here: no other process of the stack needs Delta Lake and Polars, which take memory.
        from consumers.archive import ArchiveConsumerDependencies  # noqa: PLC0415
        from consumers.archive_job import ArchiveJob  # noqa: PLC0415

        dependencies = ArchiveConsumerDependencies(configured)
        self._loop = loop = dependencies.build_loop()
        self._job = job = ArchiveJob(job_lease(configured.database, "archive"), configured.archive)
        self.resources.add("dependencies", lambda: None if loop.alive else dependencies.close())
        self.resources.add("job", lambda: job.stop(_JOB_STOP_S))
        self.resources.add("loop", lambda: loop.stop(_LOOP_STOP_S))  # finishes the pending batch, leaves the group
        self.resources.add("threads", lambda: [thread.stop(0) for thread in (loop, job)])  # all at the same time
        self._report(loop, dependencies, job)
        loop.start()
        job.start()

    def _report(self, loop: "ArchiveLoop", dependencies: "ArchiveConsumerDependencies", job: "ArchiveJob") -> None:
        metrics, stats = self._metrics, dependencies.handler.stats
        metrics.add_callback(ARCHIVE_LAG, lambda: loop.lag)
        metrics.add_callback(ARCHIVE_PENDING_SECONDS, lambda: loop.pending_age_s)
        metrics.add_callback(ARCHIVE_COMMITS, lambda: stats.commits)
        metrics.add_callback(ARCHIVE_CONFLICTS, lambda: stats.conflicts)
        metrics.add_callback(ARCHIVE_INCOMPLETE, lambda: stats.incomplete)
        metrics.add_callback(ARCHIVE_DEAD_LETTERS, lambda: loop.stats.dead_letters)
        metrics.add_callback(ARCHIVE_REWRITTEN_DAYS, lambda: job.rewritten)
        for table in stats.rows:
            metrics.add_callback(ARCHIVE_ROWS, partial(stats.rows.__getitem__, table), table.value)


def build(_args: dict[str, str]) -> "Application":
    """The application `archive` of `serve_config.yaml`."""
    from ray import serve  # noqa: PLC0415 - only the builder of the application needs Ray; the import takes a second

    deployment = serve.deployment(graceful_shutdown_timeout_s=2 * _LOOP_STOP_S, health_check_period_s=5)
    return deployment(ArchiveConsumer).bind(reports=True)
