"""Calls that a client may repeat without doing something twice: `Idempotency-Key`.

As in draft-ietf-httpapi-idempotency-key-header: the same key and the same request get the first answer again. The
service that does the work claims the key in the transaction of its effect (decision 0022); this module adds what HTTP
needs.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Header, Request, Response

from deployments.http.ports import AskService
from deployments.http.problems import ApiProblem, later
from deployments.idempotent_calls import IdempotentAnswer
from domain.idempotency import IdempotentRequest, KeyState

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PROBLEMS = ("idempotency_key_reused", "idempotency_key_in_use")

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
        description="The client's own, for this call; repeated with it, the call gets the first answer again.",
    ),
]


class Once:
    """A call that its client may repeat.

    Args:
        request: None: the client has sent no key.
        response: gets the header that says that an answer is a repeated one.
    """

    def __init__(self, request: IdempotentRequest | None, response: Response) -> None:
        self._request = request
        self._response = response

    async def __call__(
        self, ask: AskService, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a service's method that takes a `call`, or repeat its first answer.

        Raises:
            ApiProblem: the key is used for another request, or for the same one just now.
        """
        if self._request is None:
            return await ask(method, *args, **kwargs)
        done = await ask.once(self._request, method, *args, **kwargs)
        if not isinstance(done, IdempotentAnswer):
            raise _refused(done)
        if done.replayed:
            self._response.headers[REPLAYED] = "true"
        return done.value


def once_of(http: Request, response: Response, key: str | None, body_hash: str, bound_to: str = "") -> Once:
    """A call under the key that came along; of whoever asks, and of what they call.

    Args:
        http: the request.
        response: its answer.
        key: of the client.
        body_hash: SHA-256 of its body.
        bound_to: see `once_of_anyone`.
    """
    if key is None:
        return Once(None, response)
    principal = _hash(bound_to) if bound_to else _principal(http)
    what = f"{principal} {http.method} {http.url.path}"
    return Once(IdempotentRequest(_hash(f"{what} {key}"), _hash(f"{what} {body_hash}"), key, what), response)


def id_of_key(http: Request, key: str | None) -> str | None:
    """The id of a command to the door, made of the key that came along; None without one."""
    if key is None:
        return None
    return _hash(f"{_principal(http)} {http.method} {http.url.path} {key}")[:_ID_DIGITS]


async def once_of_anyone(http: Request, response: Response, key: str | None, bound_to: str) -> Once:
    """A call that needs no credential, under the key that came along.

    Args:
        http: the request.
        response: its answer.
        key: of the client.
        bound_to: what stands for the caller. The same key with another value is another key: whoever guesses a key
            neither gets nor blocks the answer of somebody else.
    """
    return once_of(http, response, key, hashlib.sha256(await http.body()).hexdigest(), bound_to)


async def _once(http: Request, response: Response, key: IdempotencyKey = None) -> Once:
    return once_of(http, response, key, hashlib.sha256(await http.body()).hexdigest())


OnceOnly = Annotated[Once, Depends(_once)]


def _principal(http: Request) -> str:
    asker = getattr(http.state, "asker", None)
    return str(asker.id) if asker else "anyone"


def _refused(state: KeyState) -> ApiProblem:
    if state is KeyState.OTHER_REQUEST:
        return ApiProblem("idempotency_key_reused", f"This {HEADER} was used with another body; take a new one.")
    if state is KeyState.RUNNING:
        return later("idempotency_key_in_use", "The same call is running; repeat it in a moment.")
    return later("unavailable", "The first answer cannot be read. See whether it was done.")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
