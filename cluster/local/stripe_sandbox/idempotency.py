"""Idempotency keys: a call that is sent again is answered again, and is carried out once.

See docs.stripe.com/api/idempotent_requests.
"""

import hashlib
import json
from dataclasses import dataclass

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import Form
from cluster.local.stripe_sandbox.store import Store

_KIND = "idempotency_error"
_LONGEST = 255
_KEPT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered. `request`: the id of the call that was carried out."""

    status: int
    text: str
    request: str


class Keys:
    """Remembers answers by their keys for 24 hours.

    Args:
        store: where they are kept, in the transaction of what they tell of.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[str] = set()

    def begin(self, key: str, path: str, form: Form) -> Answer | None:
        """Claim a key for a call; `end` gives it back.

        Args:
            key: as it was sent.
            path: of the call.
            form: its parameters.

        Returns:
            The answer of the call that was carried out under this key; then nothing is claimed.

        Raises:
            SandboxError: the key is of another call, or of one that is being carried out.
        """
        if len(key) > _LONGEST:
            raise SandboxError(f"Idempotency keys have at most {_LONGEST} characters.", began=False)
        since = self._store.now() - _KEPT_S
        sql = "SELECT path, parameters, status, answer, request FROM idempotency WHERE key = ? AND created > ?"
        rows = self._store.run(sql, (key, since))
        if rows:
            kept_path, parameters, status, answer, request = rows[0]
            if kept_path != path:
                what = f"for the same endpoint they were first used for ('{kept_path}' vs '{path}')"
                raise _misused(what)
            if parameters != _digest(form):
                raise _misused("with the same parameters they were first used with")
            return Answer(int(status), str(answer), str(request))
        if key in self._running:
            raise SandboxError(
                "There is currently another in-progress request using this Idempotent Key. Please try again later.",
                status=409,
                kind=_KIND,
                code="idempotency_key_in_use",
                began=False,
            )
        self._running.add(key)
        return None

    def keep(self, key: str, path: str, form: Form, answer: Answer) -> None:
        """Keep the answer of a call that was carried out."""
        row = (key, path, _digest(form), answer.request, answer.status, answer.text, self._store.now())
        self._store.run("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def end(self, key: str) -> None:
        """Give a claimed key back."""
        self._running.discard(key)

    def forget_old(self) -> None:
        """Forget what is older than a day."""
        self._store.run("DELETE FROM idempotency WHERE created <= ?", (self._store.now() - _KEPT_S,))


def _misused(what: str) -> SandboxError:
    message = f"Keys for idempotent requests can only be used {what}. Try another key for a different request."
    return SandboxError(message, kind=_KIND, began=False)


def _digest(form: Form) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()
