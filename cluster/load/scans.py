"""A scan as a gate's device sends it."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from cluster.load.http_client import request
from cluster.load.oracle import Expected
from cluster.load.passes import Pass
from cluster.load.world import Device, Gate
from domain.door.model import Direction

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


class ScanWriter:
    """Writes scans as HTTP requests.

    Args:
        sign: writes the text of a pass's QR code.
        host: of the stack, with its port.
    """

    def __init__(self, sign: Callable[[Pass], str], host: str) -> None:
        self.sign = sign
        self._host = host

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
