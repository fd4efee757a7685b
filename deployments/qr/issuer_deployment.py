"""The Ray Serve deployment that issues passes."""

from datetime import timedelta
from uuid import UUID

from ray import serve

from deployments.qr.passes import ImageKind, IssuedPass, Passes
from domain.clock import system_clock
from domain.door.model import PassReading
from integrations.logs import configure_logging
from integrations.pass_keys import PassSigner, PassVerifier
from integrations.replica import Replica
from integrations.settings import Profile, settings

# A changed Kubernetes secret reaches the nodes within two minutes of each other.
_SETTLE = {Profile.PRODUCTION: timedelta(minutes=3)}


class IssuerUnhealthyError(Exception):
    """This replica cannot work."""


@serve.deployment(max_ongoing_requests=16, max_queued_requests=512)
class QrIssuer(Replica):
    """Issues passes, draws them, and reads a code that is not scanned at a gate."""

    def __init__(self) -> None:
        current = settings()
        configure_logging(current)
        key_dir = current.passes.key_dir
        if key_dir is None:
            raise IssuerUnhealthyError("FITMONITOR_PASSES__KEY_DIR is not set")
        self._verifier = PassVerifier(key_dir)
        self._passes = Passes(PassSigner(key_dir, min_key_age=_SETTLE.get(current.profile, timedelta(0))))

    def issue(self, member_id: UUID, count: int = 1) -> list[IssuedPass]:
        """A member's current code and the following ones, at most 40."""
        return self._passes.issue(member_id, system_clock(), count)

    def image(
        self, member_id: UUID, kind: ImageKind, pixels: int | None = None, validity: timedelta | None = None
    ) -> bytes:
        """The image of a member's current code; see `Passes.image`."""
        return self._passes.image(member_id, system_clock(), kind, pixels, validity)

    def read(self, code: str) -> PassReading:
        """What a code says now. Changes nothing."""
        return self._verifier.read(code, system_clock())

    def public_keys(self) -> dict[str, str]:
        """The public keys with which a device verifies codes while it is offline."""
        return self._verifier.public_keys()

    def ping(self) -> None:
        """Return if this replica can work; see `check_health`."""
        self.check_health()

    def check_health(self) -> None:
        """Serve replaces a replica whose check fails.

        Raises:
            PassKeyError: the keys cannot be read any more.
        """
        self._verifier.check()
