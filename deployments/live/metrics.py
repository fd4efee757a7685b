"""Metrics of the live view."""

from datetime import datetime

from integrations.metrics import LIVE_DELAY_SECONDS, LIVE_READS, LIVE_STREAMS, LIVE_UPDATES
from integrations.metrics_registry import MetricsRegistry


class LiveMetrics:
    """Counts reads, updates and their delay.

    Args:
        metrics: the metrics.
    """

    def __init__(self, metrics: MetricsRegistry) -> None:
        self._reads = metrics.counter(LIVE_READS)
        self._updates = metrics.counter(LIVE_UPDATES)
        self._delays = metrics.histogram(LIVE_DELAY_SECONDS)
        self.streams = 0
        metrics.add_callback(LIVE_STREAMS, lambda: self.streams)

    def read(self, result: str) -> None:
        """Count a read of a gym."""
        self._reads.add(1, result)

    def sent(self) -> None:
        """Count an update that was sent to a stream."""
        self._updates.add(1)

    def shown(self, decided_at: datetime, now: datetime) -> None:
        """Observe the delay of a change that is sent now."""
        self._delays.observe(max(0.0, (now - decided_at).total_seconds()))
