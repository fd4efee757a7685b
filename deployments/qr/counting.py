"""What Qr counts: put around the verifier of passes, which knows nothing of it."""

from datetime import datetime
from pathlib import Path

from domain.door.model import PassReading
from integrations.metrics import PASS_READINGS
from integrations.metrics_registry import MetricsRegistry
from integrations.pass_keys import PassVerifier


class CountedVerifier(PassVerifier):
    """Counts codes by what they were read as.

    Args:
        key_dir: where the keys are.
        tally: where codes are counted.
    """

    def __init__(self, key_dir: Path, tally: MetricsRegistry) -> None:
        super().__init__(key_dir)
        self._readings = tally.counter(PASS_READINGS)

    def read(self, code: str, arrived_at: datetime) -> PassReading:
        """What the code says."""
        reading = super().read(code, arrived_at)
        self._readings.add(1, reading.status._value_)
        return reading
