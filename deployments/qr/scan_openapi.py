"""What the OpenAPI document says of the bodies that msgspec reads, and of `POST /scans`, which is no FastAPI route."""

from typing import Any

import msgspec

from deployments.http.problems import declared
from deployments.qr.scan_bodies import MOST_IN_AN_UPLOAD, NewOfflineScan, NewScan
from deployments.qr.scan_schemas import ScanAnswerDocument

_REFERENCE = "#/components/schemas/"


def _schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([kind], ref_template=_REFERENCE + "{name}")
    schema: dict[str, Any] = components[kind.__name__]
    for described in schema["properties"].values():
        described.pop("default", None)  # null only stands for a missing field
        if "enum" in described:
            described["type"] = "string"
        if "pattern" in described:
            described["pattern"] = described["pattern"].replace(r"\Z", "$")  # JSON Schema uses JavaScript's syntax
    return schema


def _answer_schemas() -> dict[str, Any]:
    answer = ScanAnswerDocument.model_json_schema(ref_template=_REFERENCE + "{model}")
    return {**answer.pop("$defs"), ScanAnswerDocument.__name__: answer}


def scan_schemas() -> dict[str, Any]:
    """The components that `SCAN_OPERATION` refers to."""
    return {NewScan.__name__: _schema_of(NewScan), **_answer_schemas()}


SCAN_OPERATION: dict[str, Any] = {
    "tags": ["door"],
    "summary": "Scan a pass at a gate",
    "description": "Scan a pass at a gate. A refusal is a 200 too, with `outcome: refused` and its reason.\n\n"
    "After 503 `no_answer_in_time` repeat the scan with the same `scan_id` until it is answered, or annul it.",
    "operationId": "scan_scans_post",
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": _REFERENCE + NewScan.__name__}}},
    },
    "responses": {
        "200": {
            "description": "Successful Response",
            "content": {"application/json": {"schema": {"$ref": _REFERENCE + ScanAnswerDocument.__name__}}},
        },
        **{
            str(status): response
            for status, response in declared(
                "gate_of_another_gym",
                "unknown_gate",
                "unknown_gym",
                "scan_id_reused",
                "direction_not_served",
                "too_many_scans",
                "no_answer_in_time",
                "not_decided",
            ).items()
        },
    },
}

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The stored scans of a device, in any order. Scans that were uploaded before may be among them.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["scans"],
                    "properties": {
                        "scans": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_IN_AN_UPLOAD,
                            "items": _schema_of(NewOfflineScan),
                        }
                    },
                }
            }
        },
    }
}
