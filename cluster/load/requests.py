"""Requests as bytes, ready before the clock runs."""

from collections.abc import Sequence

import msgspec

from cluster.load.benchmark.scan_plan import PlannedScan
from cluster.load.passes import Code
from integrations.pass_keys import PassSigner

SCANS_PATH = "/api/scans"
_TURNED = 20  # from the end: within the signature, and no letter with spare bits


class ScanRequests:
    """Writes planned scans as a door device sends them.

    Args:
        signer: with the stack's own key.
        host: of the stack, with its port, as it stands in the header.
    """

    def __init__(self, signer: PassSigner, host: str) -> None:
        self._signer = signer
        self._host = host

    def lane(self, scans: Sequence[PlannedScan]) -> list[bytes]:
        """The requests of one connection."""
        return [self._request(scan) for scan in scans]

    def sign(self, code: Code) -> str:
        """What the phone shows; a forged code is a genuine one with one letter of its signature changed."""
        text = self._signer.sign(code.member_id, code.issued_at)
        if not code.forged:
            return text
        letter = "A" if text[-_TURNED] != "A" else "B"
        return text[:-_TURNED] + letter + text[-_TURNED + 1 :]

    def _request(self, scan: PlannedScan) -> bytes:
        body = msgspec.json.encode(
            {
                "code": self.sign(scan.code),
                "gate_id": scan.gate.id,
                "direction": scan.direction,
                "scan_id": scan.scan_id,
            }
        )
        head = (
            f"POST {SCANS_PATH} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Authorization: Device {scan.device.credential}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def get_request(host: str, path: str, credential: str = "") -> bytes:
    """A plain question; a device's, where its credential is given."""
    shown = f"Authorization: Device {credential}\r\n" if credential else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{shown}\r\n".encode()
