"""The calls of a command: asked again where that is safe, refused in one line, lists read to their end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from cluster.cli.api.errors import RefusedError, refusal_of
from cluster.errors import CommandError

Document = dict[str, Any]

_PAGE = 200  # the longest part of a list that the API gives
_AGAIN = frozenset({429, 502, 503, 504})
_TOO_MANY = 429
_RUNNING = "idempotency_key_in_use"
_LOOK = "look at it before you do it again"


@dataclass(frozen=True, slots=True)
class Tagged:
    """What was read, and the `ETag` that a change of it names."""

    document: Document
    etag: str

    def etag_of(self, version: int | None) -> str:
        """What a change names: the version that somebody read before, or, without one, this."""
        return self.etag if version is None else f'"{version}"'


@dataclass(frozen=True, slots=True)
class Listed:
    """A list, and whether there was more than was asked for."""

    items: list[Document]
    more: bool


class Api:
    """The API as one user sees it.

    Args:
        client: knows the address and who asks.
        patience_s: for how long an unanswered question is asked again.
        pause_s: before each further time, unless the answer says when.
    """

    def __init__(self, client: httpx.Client, patience_s: float = 10.0, pause_s: float = 0.3) -> None:
        self._client = client
        self._patience_s = patience_s
        self._pause_s = pause_s

    def get(self, path: str, **query: object) -> Document:
        """A document.

        Raises:
            RefusedError: the API refuses; CommandError: nothing answers.
        """
        return _document(self._ask("GET", path, again=True, params=_query(query)))

    def read(self, path: str) -> Tagged:
        """A document that is to be changed; raises as `get`."""
        answer = self._ask("GET", path, again=True)
        return Tagged(_document(answer), answer.headers.get("ETag", ""))

    def content(self, path: str, **query: object) -> bytes:
        """A file; raises as `get`."""
        return self._ask("GET", path, again=True, params=_query(query)).content

    def all(self, path: str, limit: int | None = None, **query: object) -> Listed:
        """A list to its end, or so many items of it; raises as `get`."""
        found: list[Document] = []
        after: str | None = None
        while True:
            wanted = _PAGE if limit is None else min(_PAGE, limit - len(found))
            part = self.get(path, limit=wanted, after=after, **query)
            try:
                found += part["items"]
                after = part["next"]
            except KeyError as error:
                raise CommandError(f"{path} does not answer with a list", "see FITMONITOR_URL") from error
            if after is None or (limit is not None and len(found) >= limit):
                return Listed(found, after is not None)

    def post(self, path: str, body: object = None, *, key: str | None = None, again: bool = False) -> Document:
        """Do something.

        Args:
            path, body: the call.
            key: its `Idempotency-Key`: however often it is asked, it is done once.
            again: done twice it is as if done once.

        Raises:
            RefusedError, CommandError: as for `get`; where the answer was lost, with what to do then.
        """
        return self._sent("POST", path, key, again=again, json=body)

    def put(self, path: str, body: object = None, *, etag: str | None = None) -> Document:
        """Set something; raises as `post`."""
        return _document(self._ask("PUT", path, again=etag is None, json=body, headers=_if_match(etag)))

    def patch(self, path: str, body: object, etag: str) -> Document:
        """Change the version that was read; raises as `post`. Not asked again: our own change would refuse it."""
        return _document(self._ask("PATCH", path, json=body, headers=_if_match(etag)))

    def delete(self, path: str, etag: str | None = None) -> Document:
        """Take something away; raises as `post`."""
        return _document(self._ask("DELETE", path, again=etag is None, headers=_if_match(etag)))

    def upload(self, method: str, path: str, *, key: str | None = None, **how: Any) -> Document:  # noqa: ANN401 - httpx's own
        """Send a picture; `key` and raises as `post`."""
        return self._sent(method, path, key, **how)

    def _sent(self, method: str, path: str, key: str | None, *, again: bool = False, **how: Any) -> Document:  # noqa: ANN401 - httpx's own
        if key:
            how["headers"] = {**how.get("headers", {}), "Idempotency-Key": key}
        lost = f"repeat the command with --key {key}: it is done once" if key else _LOOK
        try:
            return _document(self._ask(method, path, again=again or bool(key), lost=lost, **how))
        except KeyboardInterrupt as error:
            if key:
                raise CommandError("whether it was done is not known", lost) from error
            raise

    def _ask(self, method: str, path: str, *, again: bool = False, lost: str = _LOOK, **how: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        until = time.monotonic() + self._patience_s
        answer = self._first(method, path, how)
        while _may_be_asked_again(answer, again=again):
            pause = self._pause(answer)
            if time.monotonic() + pause >= until:
                break
            time.sleep(pause)
            answer = self._attempt(method, path, how)
        if answer is None:
            if method == "GET":
                raise CommandError("no answer came", "see `fitmonitor status`")
            raise CommandError("no answer came, so whether it was done is not known", lost)
        if answer.is_success:
            return answer
        refusal = refusal_of(answer)
        if answer.is_server_error and not refusal.mend and method != "GET":  # a part that is away may have done it
            refusal = RefusedError(refusal.status, refusal.code, refusal.message, lost)
        raise refusal

    def _first(self, method: str, path: str, how: Mapping[str, Any]) -> httpx.Response | None:
        try:
            return self._attempt(method, path, how, passing=(httpx.ConnectError, httpx.ConnectTimeout))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            url = str(self._client.base_url).removesuffix("/").removesuffix("/api")
            mend = "start the stack with `fitmonitor up`, or see FITMONITOR_URL"
            raise CommandError(f"nothing answers at {url}", mend) from error

    def _attempt(
        self, method: str, path: str, how: Mapping[str, Any], passing: tuple[type[httpx.TransportError], ...] = ()
    ) -> httpx.Response | None:
        try:
            return self._client.request(method, path, **how)
        except passing:
            raise
        except httpx.TransportError:  # what was sent may have been done
            return None

    def _pause(self, answer: httpx.Response | None) -> float:
        after = answer.headers.get("Retry-After", "") if answer is not None else ""
        return max(self._pause_s, float(after)) if after.isdecimal() else self._pause_s


def _may_be_asked_again(answer: httpx.Response | None, *, again: bool) -> bool:
    if answer is None:
        return again
    if answer.status_code == _TOO_MANY:  # nothing was done
        return True
    return again and (answer.status_code in _AGAIN or (answer.is_client_error and _RUNNING in answer.text))


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}


def _query(query: Mapping[str, object]) -> dict[str, str]:
    def shown(value: object) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: shown(value) for name, value in query.items() if value is not None}


def _document(answer: httpx.Response) -> Document:
    if not answer.content:
        return {}
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        where = answer.request.url.copy_with(query=None)
        raise CommandError(f"{where} does not answer as this system does", "see FITMONITOR_URL")
    return document
