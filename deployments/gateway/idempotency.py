"""Calls that a client may repeat without doing something twice: `Idempotency-Key`.

As in draft-ietf-httpapi-idempotency-key-header: the same key and the same request get the first answer again. What was
answered is kept sealed with the key itself, because a device's credential may be in it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from fastapi import Header, Request, Response

from deployments.gateway.ports import AskGym
from deployments.gateway.problems import ApiProblem, Fault, later
from deployments.gateway.sealing import CannotBeOpenedError, seal, unseal
from deployments.gym.desk import GymDesk
from domain.repeats import KeyState

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
REPEATABLE = frozenset(
    {
        ("POST", "/sign-up"),
        ("POST", "/gyms"),
        ("POST", "/gyms/{gym_id}/gates"),
        ("POST", "/gates/{gate_id}/devices"),
        ("POST", "/gates/{gate_id}/pairings"),
        ("POST", "/pairings/claim"),
        ("POST", "/plans"),
        ("POST", "/checkouts"),
        ("POST", "/orders/{order_id}/refunds"),
        ("POST", "/desk-payments"),
        ("POST", "/members/{member_id}/adjustments"),
    }
)
"""The calls that make something and may be repeated."""
PROBLEMS = ("idempotency_key_reused", "idempotency_key_in_use")

_LONGEST = 255
_SUCCESS = range(200, 300)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=HEADER,
        max_length=_LONGEST,
        pattern="^[!-~]+$",
        description="The client's own, for this call; repeated with it, the call gets the first answer again.",
    ),
]


class _Kept(msgspec.Struct, frozen=True):
    body: bytes
    media_type: str
    etag: str | None = None


async def answer_once(gym: AskGym, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """The answer to a call, or the one that was given to it before.

    Raises:
        ApiProblem: the key is used for another request, or for the same one just now.
    """
    own = request.headers.get(HEADER)
    if own is None:
        return await answer(request)
    if not own or len(own) > _LONGEST or not all("!" <= letter <= "~" for letter in own):
        fault = Fault(HEADER, f"has 1 to {_LONGEST} visible ASCII characters")
        raise ApiProblem("invalid_request", "The request does not fit.", faults=[fault])
    asker = getattr(request.state, "asker", None)
    principal = str(asker.id) if asker else "anyone"
    what = f"{principal} {request.method} {request.url.path}"
    key = _hash(f"{what} {own}")
    request_hash = _hash(what + " " + hashlib.sha256(await request.body()).hexdigest())
    claim = await gym(GymDesk.claim_key, key, request_hash)
    if claim.state is KeyState.OTHER_REQUEST:
        raise ApiProblem("idempotency_key_reused", f"This {HEADER} was used with another body; take a new one.")
    if claim.state is KeyState.RUNNING:
        raise later("idempotency_key_in_use", "The same call is under way; ask again in a moment.")
    if claim.state is KeyState.ANSWERED:
        return _again(claim.status, claim.answer, own, what)
    try:
        response = await answer(request)
    except BaseException:
        await gym(GymDesk.free_key, key)
        raise
    if response.status_code in _SUCCESS:
        kept = _Kept(bytes(response.body), response.headers.get("content-type", ""), response.headers.get("etag"))
        sealed = seal(msgspec.msgpack.encode(kept), own, what)
        await gym(GymDesk.keep_answer, key, response.status_code, sealed)
    else:
        await gym(GymDesk.free_key, key)
    return response


def _again(status: int | None, sealed: str | None, own: str, what: str) -> Response:
    if status is None or sealed is None:
        raise later("unavailable", "What was answered cannot be read.")
    try:
        kept = msgspec.msgpack.decode(unseal(sealed, own, what), type=_Kept)
    except CannotBeOpenedError as error:
        raise later("unavailable", "What was answered cannot be read.") from error
    headers = {REPLAYED: "true"} | ({"ETag": kept.etag} if kept.etag else {})
    return Response(kept.body, status, headers=headers, media_type=kept.media_type or None)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
