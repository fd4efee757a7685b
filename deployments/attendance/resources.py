"""What batch tasks ask Ray for."""

from typing import Final

BATCH_RESOURCE: Final = "batch"
"""Ray's custom resource: as many batch tasks run at once on a node as it offers of it."""
