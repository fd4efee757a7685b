"""Idempotent calls: `Idempotency-Key`, as in draft-ietf-httpapi-idempotency-key-header.

The same key with the same request gets the first answer again. The service claims the key in the transaction of its
effect (decision 0022); this module adds the HTTP part.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Header, Request, Response

from deployments.http.ports import ServiceClient
from deployments.http.problems import ApiProblem, retryable
from deployments.idempotent_calls import IdempotentAnswer
from domain.idempotency import IdempotentRequest, KeyState

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PROBLEMS = ("idempotency_key_reused", "idempotency_key_in_use")
"""The problems of a call that takes an `IdempotencyKey`."""

_LONGEST = 255
_ID_DIGITS = 32
P = ParamSpec("P")
R = TypeVar("R")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=HEADER,
        max_length=_LONGEST,
        pattern="^[!-~]+$",
        description="A key of the client for this call. Repeated with the same key, the call gets the first answer.",
    ),
]


class IdempotentExecution:
    """A call that takes effect once, however often the client repeats it.

    Args:
        request: the request with its key; None: the client sent no key.
        response: gets the header that marks a replayed answer.
    """

    def __init__(self, request: IdempotentRequest | None, response: Response) -> None:
        self._request = request
        self._response = response

    async def __call__(
        self, ask: ServiceClient, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a method that takes a `call`, or return the answer that it gave before.

        Raises:
            ApiProblem: the key belongs to another request, or the same request is still running.
        """
        if self._request is None:
            return await ask(method, *args, **kwargs)
        done = await ask.once(self._request, method, *args, **kwargs)
        if not isinstance(done, IdempotentAnswer):
            raise _refused(done)
        if done.replayed:
            self._response.headers[REPLAYED] = "true"
        return done.value


def once_for_body_hash(
    http: Request, response: Response, key: str | None, body_hash: str, bound_to: str = ""
) -> IdempotentExecution:
    """An idempotent call of the authenticated caller, for a body that was hashed while it was read.

    Args:
        http: the request.
        response: its response.
        key: the key that the client sent.
        body_hash: SHA-256 of the body.
        bound_to: see `once_for_public_call`.
    """
    if key is None:
        return IdempotentExecution(None, response)
    principal = _hash(bound_to) if bound_to else _principal(http)
    what = f"{principal} {http.method} {http.url.path}"
    return IdempotentExecution(
        IdempotentRequest(_hash(f"{what} {key}"), _hash(f"{what} {body_hash}"), key, what), response
    )


async def once_for_public_call(
    http: Request, response: Response, key: str | None, bound_to: str
) -> IdempotentExecution:
    """An idempotent call that needs no credential.

    Args:
        http: the request.
        response: its response.
        key: the key that the client sent.
        bound_to: identifies the caller in place of a user id. Whoever guesses a key can then neither read nor block
            the answer of somebody else.
    """
    return once_for_body_hash(http, response, key, hashlib.sha256(await http.body()).hexdigest(), bound_to)


def request_id_from_key(http: Request, key: str | None) -> str | None:
    """The id of a door command, derived from the key of the client; None without a key."""
    if key is None:
        return None
    return _hash(f"{_principal(http)} {http.method} {http.url.path} {key}")[:_ID_DIGITS]


async def _once(http: Request, response: Response, key: IdempotencyKey = None) -> IdempotentExecution:
    return once_for_body_hash(http, response, key, hashlib.sha256(await http.body()).hexdigest())


Idempotent = Annotated[IdempotentExecution, Depends(_once)]


def _principal(http: Request) -> str:
    principal = getattr(http.state, "principal", None)
    return str(principal.id) if principal else "anyone"


def _refused(state: KeyState) -> ApiProblem:
    if state is KeyState.OTHER_REQUEST:
        return ApiProblem("idempotency_key_reused", f"This {HEADER} was used for another request. Use a new key.")
    if state is KeyState.RUNNING:
        return retryable("idempotency_key_in_use", "The same request is still running. Repeat it in a moment.")
    return retryable("unavailable", "The first answer is not readable. Check whether the call took effect.")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
