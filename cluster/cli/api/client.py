"""Calls of the API: retried where that is safe, errors as `CommandError`, lists read to their end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from cluster.cli.api.errors import ApiError, api_error
from cluster.errors import CommandError

Document = dict[str, Any]

_PAGE = 200  # the longest page of a list that the API gives
_RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_TOO_MANY_REQUESTS = 429
_KEY_IN_USE = "idempotency_key_in_use"
_CHECK_FIRST = "check whether it was done before you repeat the command"


@dataclass(frozen=True, slots=True)
class Versioned:
    """A document, and the `ETag` that a change of it names."""

    document: Document
    etag: str

    def etag_of(self, version: int | None) -> str:
        """The `ETag` of a version that the user read earlier; None: of the version that was read now."""
        return self.etag if version is None else f'"{version}"'


@dataclass(frozen=True, slots=True)
class ItemList:
    """The items of a list, and whether there are more than the limit allowed."""

    items: list[Document]
    more: bool


class Api:
    """The API as one user sees it.

    Args:
        client: has the base address and the credentials.
        retry_for_s: how long a call without an answer is retried, in seconds.
        pause_s: pause before a retry where the response names none, in seconds.
    """

    def __init__(self, client: httpx.Client, retry_for_s: float = 10.0, pause_s: float = 0.3) -> None:
        self._client = client
        self._retry_for_s = retry_for_s
        self._pause_s = pause_s

    def get(self, path: str, **query: object) -> Document:
        """Get a document.

        Raises:
            ApiError: the API refuses.
            CommandError: there is no answer.
        """
        return _document(self._request("GET", path, repeatable=True, params=_query(query)))

    def read(self, path: str) -> Versioned:
        """Get a document that is to be changed; raises as `get`."""
        response = self._request("GET", path, repeatable=True)
        return Versioned(_document(response), response.headers.get("ETag", ""))

    def content(self, path: str, **query: object) -> bytes:
        """Get a file; raises as `get`."""
        return self._request("GET", path, repeatable=True, params=_query(query)).content

    def all(self, path: str, limit: int | None = None, **query: object) -> ItemList:
        """Get a list, all pages of it or the first `limit` items; raises as `get`."""
        found: list[Document] = []
        after: str | None = None
        while True:
            page_size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self.get(path, limit=page_size, after=after, **query)
            try:
                found += page["items"]
                after = page["next"]
            except KeyError as error:
                raise CommandError(f"the response of {path} is not a list", "check FITMONITOR_URL") from error
            if after is None or (limit is not None and len(found) >= limit):
                return ItemList(found, after is not None)

    def post(self, path: str, body: object = None, *, key: str | None = None, repeatable: bool = False) -> Document:
        """Call `POST`.

        Args:
            path, body: of the call.
            key: its `Idempotency-Key`: however often the call is sent, it is done once.
            repeatable: whether the call is idempotent without a key.

        Raises:
            ApiError, CommandError: as `get`; where the answer was lost, with what to do then.
        """
        return self._send("POST", path, key, repeatable=repeatable, json=body)

    def put(self, path: str, body: object = None, *, etag: str | None = None) -> Document:
        """Call `PUT`; raises as `post`."""
        return _document(self._request("PUT", path, repeatable=etag is None, json=body, headers=_if_match(etag)))

    def patch(self, path: str, body: object, etag: str) -> Document:
        """Change the version that was read; raises as `post`. Not retried: our own change would refuse the retry."""
        return _document(self._request("PATCH", path, json=body, headers=_if_match(etag)))

    def delete(self, path: str, etag: str | None = None) -> Document:
        """Call `DELETE`; raises as `post`."""
        return _document(self._request("DELETE", path, repeatable=etag is None, headers=_if_match(etag)))

    def upload(self, method: str, path: str, *, key: str | None = None, **request: Any) -> Document:  # noqa: ANN401 - httpx's own
        """Upload a picture; `key` and raises as `post`."""
        return self._send(method, path, key, **request)

    def _send(self, method: str, path: str, key: str | None, *, repeatable: bool = False, **request: Any) -> Document:  # noqa: ANN401 - httpx's own
        if key:
            request["headers"] = {**request.get("headers", {}), "Idempotency-Key": key}
        hint = f"repeat the command with --key {key}: it is done once" if key else _CHECK_FIRST
        try:
            return _document(self._request(method, path, repeatable=repeatable or bool(key), hint=hint, **request))
        except KeyboardInterrupt as error:
            if key:
                raise CommandError("interrupted; it may have been done", hint) from error
            raise

    def _request(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool = False,
        hint: str = _CHECK_FIRST,
        **request: Any,  # noqa: ANN401 - httpx's own
    ) -> httpx.Response:
        """The response to a call, retried until it is one. `hint` is for an answer that was lost."""
        until = time.monotonic() + self._retry_for_s
        response = self._first_attempt(method, path, request)
        while _is_retried(response, repeatable=repeatable):
            pause = self._pause(response)
            if time.monotonic() + pause >= until:
                break
            time.sleep(pause)
            response = self._attempt(method, path, request)
        if response is None:
            if method == "GET":
                raise CommandError("there is no answer", "see `fitmonitor status`")
            raise CommandError("there is no answer; it may have been done", hint)
        if response.is_success:
            return response
        error = api_error(response)
        if response.is_server_error and not error.hint and method != "GET":  # an unavailable service may have done it
            error = ApiError(error.status, error.code, error.message, hint)
        raise error

    def _first_attempt(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response | None:
        try:
            return self._attempt(method, path, request, raised=(httpx.ConnectError, httpx.ConnectTimeout))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            url = str(self._client.base_url).removesuffix("/").removesuffix("/api")
            hint = "start the stack with `fitmonitor up`, or check FITMONITOR_URL"
            raise CommandError(f"nothing answers at {url}", hint) from error

    def _attempt(
        self, method: str, path: str, request: Mapping[str, Any], raised: tuple[type[httpx.TransportError], ...] = ()
    ) -> httpx.Response | None:
        try:
            return self._client.request(method, path, **request)
        except raised:
            raise
        except httpx.TransportError:  # the request may have been carried out
            return None

    def _pause(self, response: httpx.Response | None) -> float:
        after = response.headers.get("Retry-After", "") if response is not None else ""
        return max(self._pause_s, float(after)) if after.isdecimal() else self._pause_s


def _is_retried(response: httpx.Response | None, *, repeatable: bool) -> bool:
    if response is None:
        return repeatable
    if response.status_code == _TOO_MANY_REQUESTS:  # nothing was done
        return True
    in_use = response.is_client_error and _KEY_IN_USE in response.text
    return repeatable and (response.status_code in _RETRIED_STATUSES or in_use)


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}


def _query(query: Mapping[str, object]) -> dict[str, str]:
    def text(value: object) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: text(value) for name, value in query.items() if value is not None}


def _document(response: httpx.Response) -> Document:
    if not response.content:
        return {}
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        url = response.request.url.copy_with(query=None)
        raise CommandError(f"the response of {url} is not one of FIT Monitor", "check FITMONITOR_URL")
    return document
