"""The bodies of scans: one whose member waits at a gate, and those that a device made without the server."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from deployments.http.problems import ApiProblem, Fault
from domain.door.model import Direction

MAX_CODE_LENGTH = 2048
MOST_IN_AN_UPLOAD = 100
# Clocks of devices start in 1900 (NTP), 1970 (POSIX), 1980 (GPS) or 2000, and no counter of 32 bits gets past 2106.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_Code = Annotated[str, msgspec.Meta(max_length=MAX_CODE_LENGTH)]
_ScanId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}\Z")]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class ScanBody(msgspec.Struct, frozen=True):
    """What a door sends. Unknown fields are ignored: a door may be newer than this."""

    code: _Code
    gate_id: UUID
    direction: Direction
    scan_id: _ScanId
    scanned_at: _Time | None = None


class OfflineScanBody(msgspec.Struct, frozen=True):
    """An element of an upload. The device knows which way it let somebody through, and when."""

    code: _Code
    gate_id: UUID
    direction: Literal["enter", "leave"]
    scan_id: _ScanId
    scanned_at: _Time


class _Named(msgspec.Struct, frozen=True):
    scan_id: _ScanId


class UnfitElement(msgspec.Struct, frozen=True):
    """An element of an upload that is no scan.

    Args:
        scan_id: None where it has none that could be one.
        fault: what is wrong; its field is empty where the element is no object.
    """

    scan_id: str | None
    fault: Fault


_scans = msgspec.json.Decoder(ScanBody)
_elements = msgspec.json.Decoder(OfflineScanBody)
_names = msgspec.json.Decoder(_Named)


def read_scan(body: bytes) -> ScanBody:
    """A scan's body; its code without white space around it, which some scanners append.

    A door whose clock is beyond what can be stored still works: its time is dropped, as nothing is decided by it.

    Raises:
        ApiProblem: `malformed_request` when it is not JSON, `invalid_request` when it is no scan.
    """
    try:
        scan = _scans.decode(body)
    except msgspec.ValidationError as error:
        fault = _fault(error)
        faults = [Fault(fault.field or "body", fault.detail)]
        raise ApiProblem("invalid_request", "The scan does not fit.", faults=faults) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed() from error
    at = scan.scanned_at
    code = scan.code.strip()
    if code == scan.code and (at is None or EARLIEST <= at < LATEST):
        return scan
    return msgspec.structs.replace(scan, code=code, scanned_at=_in_utc(at) if at is not None else None)


def read_upload(body: bytes) -> list[OfflineScanBody | UnfitElement]:
    """The elements of an upload, each read by itself.

    Raises:
        ApiProblem: `malformed_request` when it is not JSON, `invalid_request` when it is no upload.
    """
    try:
        # Not by msgspec: a lone surrogate within one element would be the end of all.
        upload = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(upload, dict):
        raise _unfit_upload("body", "is not an object")
    scans = upload.get("scans")
    if not isinstance(scans, list) or not 1 <= len(scans) <= MOST_IN_AN_UPLOAD:
        raise _unfit_upload("scans", f"is not a list of 1 to {MOST_IN_AN_UPLOAD} scans")
    return [_element(scan) for scan in scans]


def _element(said: object) -> OfflineScanBody | UnfitElement:
    raw = b""
    try:
        raw = json.dumps(said).encode()
        scan = _elements.decode(raw)
    except msgspec.ValidationError as error:
        return UnfitElement(_scan_id(raw), _fault(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return UnfitElement(_scan_id(raw), Fault("", "is not JSON"))
    at = _in_utc(scan.scanned_at)
    if at is None:
        detail = f"{scan.scanned_at.isoformat()} is not within the years {EARLIEST.year} to {LATEST.year - 1} of UTC"
        return UnfitElement(scan.scan_id, Fault("scanned_at", detail))
    return msgspec.structs.replace(scan, code=scan.code.strip(), scanned_at=at)


def _in_utc(at: datetime) -> datetime | None:
    # Compared first: what is compared overflows nowhere, what is converted does.
    return at.astimezone(UTC) if EARLIEST <= at < LATEST else None


def _scan_id(raw: bytes) -> str | None:
    try:
        return _names.decode(raw).scan_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _malformed() -> ApiProblem:
    return ApiProblem("malformed_request", "The body is not JSON.")


def _unfit_upload(field: str, detail: str) -> ApiProblem:
    return ApiProblem("invalid_request", "The upload does not fit.", faults=[Fault(field, detail)])


def _fault(error: msgspec.ValidationError) -> Fault:
    what, _, where = str(error).partition(" - at `$.")
    return Fault(where.rstrip("`") or what.partition("required field `")[2].rstrip("`"), what)
