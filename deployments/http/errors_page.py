"""Writes docs/errors.md: every code of the interface, from the table that answers it.

Run `python -m deployments.http.errors_page > docs/errors.md`.
"""

import sys

from deployments.http.problem_kinds import KINDS
from deployments.http.problems import MEDIA_TYPE

_HEAD = f"""# Errors

Every failure is answered as `{MEDIA_TYPE}` (RFC 9457) with `code`, `detail`, `request_id` and, where fields do
not fit, `fields`. Compare `code`: it is stable. Sentences may change. Which call answers which code stands in the
interface's own document, `/api/docs`. A 429 or 503 says in `Retry-After` when to ask again.

A scan that is refused is no error: it is answered with 200, `outcome: refused` and a `reason`; see [door.md](door.md).

| code | status | what it is | what mends it |
|---|---|---|---|
"""


def page() -> str:
    """The whole file."""
    return _HEAD + "".join(
        f"| `{code}` | {kind.status} | {kind.title} | {kind.mend} |\n" for code, kind in KINDS.items()
    )


if __name__ == "__main__":
    sys.stdout.write(page())
