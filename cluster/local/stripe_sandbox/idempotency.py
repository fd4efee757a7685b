"""Idempotency keys: a call that is sent again gets the first response and is not executed again.

See https://docs.stripe.com/api/idempotent_requests.
"""

import hashlib
import json
from dataclasses import dataclass

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import Form
from cluster.local.stripe_sandbox.store import Store

_KIND = "idempotency_error"
_MAX_LENGTH = 255
_KEPT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class SavedResponse:
    """The response to a call. `request` is the id of the call that was executed."""

    status: int
    text: str
    request: str


class IdempotencyKeys:
    """Saves responses by their keys for 24 hours.

    Args:
        store: where they are saved, in the transaction of the call itself.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_use: set[str] = set()

    def claim(self, key: str, path: str, form: Form) -> SavedResponse | None:
        """Claim a key for a call; `release` ends the claim.

        Returns:
            The saved response if the call was executed before; then nothing is claimed.

        Raises:
            SandboxError: the key belongs to a different call, or its call is in progress.
        """
        if len(key) > _MAX_LENGTH:
            raise SandboxError(f"Idempotency keys can have up to {_MAX_LENGTH} characters.")
        sql = "SELECT path, parameters, status, answer, request FROM idempotency WHERE key = ? AND created > ?"
        for saved_path, parameters, status, text, request in self._store.run(sql, (key, self._store.now() - _KEPT_S)):
            if saved_path != path:
                raise _misused(f"for the same endpoint they were first used for ('{saved_path}' vs '{path}')")
            if parameters != _digest(form):
                raise _misused("with the same parameters they were first used with")
            return SavedResponse(int(status), str(text), str(request))
        if key in self._in_use:
            message = (
                "There is currently another in-progress request using this Idempotent Key. Please try again later."
            )
            raise SandboxError(message, status=409, kind=_KIND, code="idempotency_key_in_use")
        self._in_use.add(key)
        return None

    def save(self, key: str, path: str, form: Form, response: SavedResponse) -> None:
        """Save the response to a call that was executed."""
        row = (key, path, _digest(form), response.request, response.status, response.text, self._store.now())
        self._store.run("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def release(self, key: str) -> None:
        """End the claim of a key."""
        self._in_use.discard(key)

    def delete_old(self) -> None:
        """Delete responses that are older than a day."""
        self._store.run("DELETE FROM idempotency WHERE created <= ?", (self._store.now() - _KEPT_S,))


def _misused(rule: str) -> SandboxError:
    message = f"Keys for idempotent requests can only be used {rule}. Try another key for a different request."
    return SandboxError(message, kind=_KIND)


def _digest(form: Form) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()
