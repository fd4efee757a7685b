"""The bodies of scans: one scan at a gate, and an upload of scans that a device made while it was offline."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from deployments.http.msgspec_errors import fault_of
from deployments.http.problems import ApiProblem, Fault
from domain.door.model import Direction

MAX_CODE_LENGTH = 2048
MOST_IN_AN_UPLOAD = 100
# Clocks of devices start in 1900 (NTP), 1970 (POSIX), 1980 (GPS) or 2000, and no counter of 32 bits gets past 2106.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_Code = Annotated[str, msgspec.Meta(max_length=MAX_CODE_LENGTH, description="The text that the scanner read.")]
_ScanId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[!-~]{1,64}\Z", description="An id that the client chooses. A repeated id gets the first answer."
    ),
]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class NewScan(msgspec.Struct, frozen=True):
    """A scan at a gate."""

    # Unknown fields are ignored: a device may be newer than the server.
    code: _Code
    gate_id: UUID
    direction: Annotated[
        Direction,
        msgspec.Meta(description="`auto`: enter or leave, by where the member is. Only for gates that serve both."),
    ]
    scan_id: _ScanId
    scanned_at: Annotated[
        _Time | None,
        msgspec.Meta(description="Time by the device's clock. It is stored, and no decision depends on it."),
    ] = None


class NewOfflineScan(msgspec.Struct, frozen=True):
    """A scan that a device made while it could not reach the server."""

    code: _Code
    gate_id: UUID
    direction: Annotated[
        Literal["enter", "leave"], msgspec.Meta(description="What the device did: it let a member in or out.")
    ]
    scan_id: _ScanId
    scanned_at: Annotated[
        datetime,
        msgspec.Meta(
            tz=True,
            description="Time by the device's clock with a UTC offset, within the years "
            f"{EARLIEST.year} to {LATEST.year - 1}. It is limited to the time when the code was valid.",
        ),
    ]


class _Named(msgspec.Struct, frozen=True):
    scan_id: _ScanId


class InvalidElement(msgspec.Struct, frozen=True):
    """An element of an upload that is not a scan.

    Args:
        scan_id: None where it has none that could be one.
        fault: what is wrong; its field is empty where the element is not an object.
    """

    scan_id: str | None
    fault: Fault


_scans = msgspec.json.Decoder(NewScan)
_elements = msgspec.json.Decoder(NewOfflineScan)
_names = msgspec.json.Decoder(_Named)


def read_scan(body: bytes) -> NewScan:
    """Decode the body of a scan.

    White space around the code, which some scanners append, is removed. A `scanned_at` that cannot be stored is
    dropped, because nothing is decided by it and a device with a wrong clock must work.

    Raises:
        ApiProblem: `malformed_request` when the body is not JSON, `invalid_request` when it is not a scan.
    """
    try:
        scan = _scans.decode(body)
    except msgspec.ValidationError as error:
        fault = fault_of(error, NewScan)
        faults = [Fault(fault.field or "body", fault.detail)]
        raise ApiProblem("invalid_request", "The scan is not valid.", faults=faults) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed() from error
    at = scan.scanned_at
    code = scan.code.strip()
    if code == scan.code and (at is None or EARLIEST <= at < LATEST):
        return scan
    return msgspec.structs.replace(scan, code=code, scanned_at=_in_utc(at) if at is not None else None)


def read_upload(body: bytes) -> list[NewOfflineScan | InvalidElement]:
    """Decode the elements of an upload, each by itself.

    Raises:
        ApiProblem: `malformed_request` when the body is not JSON, `invalid_request` when it is not an upload.
    """
    try:
        # Not by msgspec: a lone surrogate within one element would fail the whole upload.
        upload = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(upload, dict):
        raise _invalid_upload("body", "is not an object")
    scans = upload.get("scans")
    if not isinstance(scans, list) or not 1 <= len(scans) <= MOST_IN_AN_UPLOAD:
        raise _invalid_upload("scans", f"is not a list of 1 to {MOST_IN_AN_UPLOAD} scans")
    return [_element(scan) for scan in scans]


def _element(value: object) -> NewOfflineScan | InvalidElement:
    raw = b""
    try:
        raw = json.dumps(value).encode()
        scan = _elements.decode(raw)
    except msgspec.ValidationError as error:
        return InvalidElement(_scan_id(raw), fault_of(error, NewOfflineScan))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return InvalidElement(_scan_id(raw), Fault("", "is not JSON"))
    at = _in_utc(scan.scanned_at)
    if at is None:
        detail = f"{scan.scanned_at.isoformat()} is not within the years {EARLIEST.year} to {LATEST.year - 1} of UTC"
        return InvalidElement(scan.scan_id, Fault("scanned_at", detail))
    return msgspec.structs.replace(scan, code=scan.code.strip(), scanned_at=at)


def _in_utc(at: datetime) -> datetime | None:
    # Compared first: a comparison never overflows, a conversion may.
    return at.astimezone(UTC) if EARLIEST <= at < LATEST else None


def _scan_id(raw: bytes) -> str | None:
    try:
        return _names.decode(raw).scan_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _malformed() -> ApiProblem:
    return ApiProblem("malformed_request", "The body is not JSON.")


def _invalid_upload(field: str, detail: str) -> ApiProblem:
    return ApiProblem("invalid_request", "The upload is not valid.", faults=[Fault(field, detail)])
