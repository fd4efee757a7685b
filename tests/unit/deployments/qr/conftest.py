"""The scanner is tested through the same harness as the gateway."""

from tests.unit.deployments.conftest import anyio_backend, harness, world

__all__ = ["anyio_backend", "harness", "world"]
