"""The Ray Serve deployment of passes. It opens clients and delegates."""

from datetime import timedelta
from uuid import UUID

from ray import serve

from deployments.qr.counting import CountedVerifier
from deployments.qr.pass_check import PassCheck
from deployments.qr.passes import ImageKind, IssuedPass, Passes
from domain.clock import system_clock
from domain.door.model import PassReading
from integrations.kafka.command_producer import CommandProducer
from integrations.logs import configure_logging
from integrations.metrics import LOST_COMMANDS
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.pass_keys import PassSigner
from integrations.replica import Replica
from integrations.settings import Profile, settings

# A changed Kubernetes secret reaches the nodes within two minutes of each other.
_SETTLE = {Profile.PRODUCTION: timedelta(minutes=3)}


class QrUnhealthyError(Exception):
    """This replica cannot do its work and is to be replaced."""


@serve.deployment(max_ongoing_requests=16, max_queued_requests=512)
class Qr(Replica):
    """Issues passes, and reads scanned ones on their way to the door."""

    def __init__(self) -> None:
        current = settings()
        configure_logging(current)
        key_dir = current.passes.key_dir
        if key_dir is None:
            raise QrUnhealthyError("FITMONITOR_PASSES__KEY_DIR is not set")
        self._tally = MetricsRegistry()
        self.resources.add("tally", self._tally.stop)
        self._verifier = CountedVerifier(key_dir, self._tally)
        self._passes = Passes(PassSigner(key_dir, min_key_age=_SETTLE.get(current.profile, timedelta(0))))
        self._producer = producer = CommandProducer(current)
        self.resources.add("producer", producer.close)  # what is queued is still sent
        self._tally.add_callback(LOST_COMMANDS, lambda: producer.refused, "refused")
        self._tally.add_callback(LOST_COMMANDS, lambda: producer.failed_deliveries, "undelivered")
        self._check = PassCheck(self._verifier, self._producer)
        self._tally.start(RayExporter)

    # A coroutine, though it waits for nothing: handing a batch to a thread and back costs as much as verifying a pass,
    # and nothing else that a replica does is in a hurry meanwhile.
    async def check(self, batch: bytes) -> bytes:
        """Read the passes of a batch of scans and send each on to its gym; see `deployments.qr.questions`."""
        return self._check.check(batch)

    def issue(self, member_id: UUID, count: int = 1) -> list[IssuedPass]:
        """The present code of a member and those that follow it, 40 at most."""
        return self._passes.issue(member_id, system_clock(), count)

    def image(
        self, member_id: UUID, kind: ImageKind, pixels: int | None = None, validity: timedelta | None = None
    ) -> bytes:
        """The picture of a member's present code; see `Passes.image`."""
        return self._passes.image(member_id, system_clock(), kind, pixels, validity)

    def read(self, code: str) -> PassReading:
        """What a code says now; nothing is done about it."""
        return self._verifier.read(code, system_clock())

    def public_keys(self) -> dict[str, str]:
        """The public keys by which a door reads codes without us."""
        return self._verifier.public_keys()

    def ping(self) -> None:
        """Return if this replica can do its work; see `check_health`."""
        self.check_health()

    def check_health(self) -> None:
        """Called by Serve.

        Raises:
            PassKeyError: the keys cannot be read any more.
            QrUnhealthyError: no command can be produced any more.
        """
        self._verifier.check()
        if not self._producer.healthy:
            raise QrUnhealthyError("the command producer has failed for good")
