"""The Identity services are tested on the local provider, without a gateway."""

from tests.unit.integrations.local_identity.conftest import harness

__all__ = ["harness"]
