"""The scanner is tested through the same rig as the gateway."""

from tests.unit.gateway.conftest import anyio_backend, rig, world

__all__ = ["anyio_backend", "rig", "world"]
