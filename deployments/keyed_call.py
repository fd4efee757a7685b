"""A call of a desk under an idempotency key: claims the key and stores the answer in the unit of work of the effect."""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Connection

from domain.idempotency import IdempotentRequest, KeyClaim, KeyState, claim_key, free_key, is_known, keep_answer
from integrations.sealing import UnsealError, seal, unseal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyedAnswer(Generic[T]):
    """What a call under a key is answered; `replayed`: it was done before."""

    value: T
    replayed: bool


class KeyRefusedError(Exception):
    """A key cannot be used now.

    Args:
        state: `RUNNING` or `OTHER_REQUEST`; `ANSWERED`: the stored answer cannot be read.
    """

    def __init__(self, state: KeyState) -> None:
        super().__init__(state)
        self.state = state


class KeyedCall:
    """One call under a key; `replayed` says at its end whether the answer is that of an earlier call."""

    def __init__(self, request: IdempotentRequest, now: datetime, kept_for: timedelta) -> None:
        self._request = request
        self._now = now
        self._kept_for = kept_for
        self.replayed = False

    @property
    def key(self) -> str:
        """The hash that names the key in the database."""
        return self._request.key

    def is_known(self, connection: Connection) -> bool:
        """Whether an earlier call has claimed the key."""
        return is_known(connection, self.key)

    def claim(self, connection: Connection) -> KeyClaim:
        """Claim the key.

        Raises:
            KeyRefusedError: another request has it, or the same one runs just now.
        """
        request = self._request
        self.replayed = False
        claim = claim_key(connection, request.key, request.request_hash, self._now, self._kept_for)
        if claim.state in {KeyState.RUNNING, KeyState.OTHER_REQUEST}:
            raise KeyRefusedError(claim.state)
        return claim

    def end(self, connection: Connection, answer: object, kind: type[object]) -> None:
        """Store the answer, sealed; a refusal, which is none of that type, frees the key instead."""
        if not isinstance(answer, kind):
            free_key(connection, self.key)
            return
        plain = zlib.compress(msgspec.msgpack.encode(answer))
        keep_answer(connection, self.key, seal(plain, self._request.secret, self._request.purpose))

    def first_answer(self, claim: KeyClaim, kind: type[object]) -> Any:  # noqa: ANN401 - of that type
        """The answer that was stored.

        Raises:
            KeyRefusedError: it cannot be read: another version has written it.
        """
        try:
            plain = unseal(claim.answer or "", self._request.secret, self._request.purpose)
            answer: Any = msgspec.msgpack.decode(zlib.decompress(plain), type=kind)
        except (UnsealError, zlib.error, msgspec.DecodeError) as error:
            raise KeyRefusedError(KeyState.ANSWERED) from error
        self.replayed = True
        return answer
