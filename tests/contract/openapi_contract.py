"""Whether answers are what the OpenAPI document says they are."""

import re
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]


class OpenApiContract:
    """Holds answers to a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._operations = [
            (method.upper(), _pattern(path), operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ]
        # The longest path first: `/scans/{id}/annul` is no `/scans/{id}`.
        self._operations.sort(key=lambda one: -len(one[1].pattern))

    def check(self, method: str, path: str, answer: httpx.Response) -> None:
        """Fail unless the answer's status, media type and shape are declared."""
        operation = next(
            (one for verb, pattern, one in self._operations if verb == method and pattern.match(path)), None
        )
        if operation is None:
            return
        declared = operation["responses"].get(str(answer.status_code))
        assert declared, f"{method} {path} answered {answer.status_code}, which is not declared"
        if not answer.content:
            assert not declared.get("content"), f"{method} {path} declares content for {answer.status_code}"
            return
        media_type = answer.headers["content-type"].partition(";")[0]
        content = declared["content"].get(media_type)
        assert content, f"{method} {path} answered {answer.status_code} {media_type}, which is not declared"
        if media_type.endswith("json"):
            body = answer.json()
            jsonschema.Draft202012Validator({**content["schema"], "components": self._components}).validate(body)
            if media_type.startswith("application/problem"):
                assert body["code"] in content["examples"], f"{method} {path} does not declare {body['code']}"


def _pattern(path: str) -> re.Pattern[str]:
    # A scan's id may have slashes in it, other ids are UUIDs or not ids at all.
    path = path.replace("{scan_id}", ".+")
    return re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z")
