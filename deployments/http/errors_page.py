"""Generates docs/errors.md from the table of error codes.

Run `python -m deployments.http.errors_page > docs/errors.md`.
"""

import sys

from deployments.http.error_codes import KINDS
from deployments.http.problems import MEDIA_TYPE

_HEAD = f"""# Errors

Every error response is `{MEDIA_TYPE}` (RFC 9457) with `code`, `title`, `detail` and `request_id`. An invalid request
also has `fields`, one entry per invalid field. Compare `code`: it is stable. Titles and details can change. The API
documentation at `/api/docs` lists the codes of each call. A 429 or 503 has a `Retry-After` header: repeat the request
after so many seconds.

A refused scan is not an error: its response is a 200 with `outcome: refused` and a `reason`; see [door.md](door.md).

| Code | Status | Title | How to resolve it |
|---|---|---|---|
"""


def page() -> str:
    """The content of docs/errors.md."""
    return _HEAD + "".join(
        f"| `{code}` | {kind.status} | {kind.title} | {kind.hint} |\n" for code, kind in KINDS.items()
    )


if __name__ == "__main__":
    sys.stdout.write(page())
