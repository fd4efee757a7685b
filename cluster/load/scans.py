"""A scan as a gate's device sends it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Self

import msgspec

from cluster.errors import CommandError
from cluster.load.http_client import request
from cluster.load.oracle import Expected, faults
from cluster.load.passes import Pass, signed
from cluster.load.world import Device, Gate
from domain.door.model import Direction, ScanAnswer
from integrations.pass_keys import PassKeyError, PassSigner
from integrations.settings import Settings

SCANS_PATH = "/api/scans"


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan and the right answer to it."""

    scan_id: str
    gate: Gate
    device: Device
    direction: Direction
    shown: Pass
    expected: Expected

    def faults(
        self, given: ScanAnswer | str, answered_at: datetime | None = None, *, repeated: bool = False
    ) -> list[str]:
        """What is wrong with the answer to it.

        Args:
            given: as `read_answer` returns it.
            answered_at: when it was received; None: before what is right could change.
            repeated: the scan was sent before, and may have been decided then.
        """
        if isinstance(given, str):
            return [given]
        expected = self.expected.at(answered_at) if answered_at else self.expected
        return list(faults(expected, given, self.scan_id, self.gate, repeated=repeated))


class ScanWriter:
    """Writes scans as HTTP requests.

    Args:
        sign: writes the text of a pass's QR code.
        host: of the stack, with its port.
    """

    def __init__(self, sign: Callable[[Pass], str], host: str) -> None:
        self.sign = sign
        self._host = host

    @classmethod
    def of_stack(cls, settings: Settings, host: str) -> Self:
        """A writer that signs passes with the keys of a stack.

        Raises:
            CommandError: there are no keys, or none that can be read.
        """
        if settings.passes.key_dir is None:
            raise CommandError("the stack has no pass keys", "set FITMONITOR_PASSES__KEY_DIR")
        try:
            signer = PassSigner(settings.passes.key_dir)
        except PassKeyError as error:
            raise CommandError(str(error), "start the stack with `fitmonitor up`, which makes a key") from error
        return cls(partial(signed, signer=signer), host)

    def request(self, scan: Scan) -> bytes:
        """The request for a scan."""
        body = msgspec.json.encode(
            {
                "code": self.sign(scan.shown),
                "gate_id": scan.gate.id,
                "direction": scan.direction,
                "scan_id": scan.scan_id,
            }
        )
        authorization = f"Device {scan.device.credential}"
        return request("POST", self._host, SCANS_PATH, authorization, body, {"Content-Type": "application/json"})
