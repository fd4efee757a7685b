"""Bodies of scans: what is wrong with a field is said in the same words as on every other call."""

import json

import pytest

from deployments.http.problems import ApiProblem, Fault
from deployments.qr.scan_bodies import InvalidElement, read_scan, read_upload

GOOD = {
    "code": "x",
    "gate_id": "0198c0de-0000-7000-8000-000000000000",
    "direction": "enter",
    "scan_id": "1",
    "scanned_at": "2026-03-02T12:00:00Z",
}
PATTERN = "String should match pattern '^[!-~]{1,64}$'"
BAD = [
    ("code", ..., "Field required"),
    ("code", 1, "Input should be a valid string"),
    ("code", None, "Input should be a valid string"),
    ("code", "x" * 2049, "String should have at most 2048 characters"),
    ("gate_id", 1, "Input should be a valid UUID"),
    ("gate_id", "1", "Input should be a valid UUID"),
    ("scan_id", [], "Input should be a valid string"),
    ("scan_id", "a b", PATTERN),
    ("scan_id", "a\n", PATTERN),
    ("scanned_at", True, "Input should be a valid datetime"),
    ("scanned_at", 5, "Input should be a valid datetime"),
    ("scanned_at", "yesterday", "Input should be a valid datetime"),
    ("scanned_at", "2026-03-02T12:00:00", "Input should have timezone info"),
]


def body(field: str, value: object) -> dict[str, object]:
    return {name: one for name, one in {**GOOD, field: value}.items() if one is not ...}


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        *BAD,
        ("direction", "up", "Input should be 'enter', 'leave' or 'auto'"),
        ("direction", 1, "Input should be 'enter', 'leave' or 'auto'"),
        ("direction", ..., "Field required"),
    ],
)
def test_a_scan_says_what_is_wrong_with_a_field(field: str, value: object, detail: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        read_scan(json.dumps(body(field, value)).encode())
    assert refused.value.faults == (Fault(field, detail),)


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        *BAD,
        ("direction", "auto", "Input should be 'enter' or 'leave'"),
        ("scanned_at", ..., "Field required"),
        ("scanned_at", None, "Input should be a valid datetime"),
    ],
)
def test_an_element_of_an_upload_says_what_is_wrong_with_a_field(field: str, value: object, detail: str) -> None:
    (element,) = read_upload(json.dumps({"scans": [body(field, value)]}).encode())
    assert isinstance(element, InvalidElement)
    assert element.fault == Fault(field, detail)


@pytest.mark.parametrize("text", [b"[]", b"1", b"null", b'"x"'])
def test_what_is_no_object_is_a_fault_of_the_body(text: bytes) -> None:
    with pytest.raises(ApiProblem) as refused:
        read_scan(text)
    assert refused.value.faults == (Fault("body", "Input should be an object"),)
