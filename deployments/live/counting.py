"""What the live view counts of itself."""

from datetime import datetime

from integrations.metrics import LIVE_DELAY_SECONDS, LIVE_READS, LIVE_STREAMS, LIVE_UPDATES
from integrations.metrics_registry import MetricsRegistry


class LiveCounts:
    """Counts readings, updates and how late they are.

    Args:
        tally: where they are counted.
    """

    def __init__(self, tally: MetricsRegistry) -> None:
        self._reads = tally.counter(LIVE_READS)
        self._updates = tally.counter(LIVE_UPDATES)
        self._delays = tally.histogram(LIVE_DELAY_SECONDS)
        self.streams = 0
        tally.add_callback(LIVE_STREAMS, lambda: self.streams)

    def read(self, result: str) -> None:
        """A gym was read, or could not be."""
        self._reads.add(1, result)

    def sent(self) -> None:
        """An update went to one stream."""
        self._updates.add(1)

    def shown(self, decided_at: datetime, now: datetime) -> None:
        """What was decided then goes out now."""
        self._delays.observe(max(0.0, (now - decided_at).total_seconds()))
