"""The calls that a door device makes, asked again until there is an answer."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

from cluster.cli.doors import Door
from cluster.errors import CommandError

_ANSWER_WITHIN_S = 3.0  # a little past the door's own deadline
_PAUSE_S = 0.3
_ASK_AGAIN = {429, 502, 503, 504}


class NoAnswerError(Exception):
    """Nothing decided was heard in time."""


class ScanCalls:
    """A device at one gate.

    Args:
        base: the stack's address, as `http://127.0.0.1:8000`.
        door: the gate, and the credential.
        patience_s: for how long an unanswered question is asked again.
    """

    def __init__(self, base: str, door: Door, patience_s: float = 10.0) -> None:
        self._base = base
        self._door = door
        self._patience_s = patience_s

    def scan(self, code: str, direction: str, scan_id: str) -> dict[str, Any]:
        """The decision on a scan. The same id throughout: however often it is asked, it is decided once.

        Raises:
            NoAnswerError: none came.
            CommandError: the question was refused as such, or nobody is there.
        """
        body = {"code": code, "gate_id": self._door.gate_id, "direction": direction, "scan_id": scan_id}
        return self._ask("/api/scans", body)

    def annul(self, scan_id: str) -> dict[str, Any]:
        """Undo a scan of this device.

        Raises:
            NoAnswerError, CommandError: as for `scan`.
        """
        return self._ask(f"/api/scans/{quote(scan_id, safe='')}/annul", {"reason": "command line"})

    def _ask(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        until = time.monotonic() + self._patience_s
        headers = {"Authorization": f"Device {self._door.credential}"}
        with httpx.Client(base_url=self._base, headers=headers, trust_env=False, timeout=_ANSWER_WITHIN_S) as client:
            answer = self._first(lambda: client.post(path, json=body))
            while answer is None or answer.status_code in _ASK_AGAIN:
                pause = _pause(answer)
                if time.monotonic() + pause >= until:
                    raise NoAnswerError
                time.sleep(pause)
                answer = _attempt(lambda: client.post(path, json=body))
        return _document(answer)

    def _first(self, post: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            return _attempt(post, passing=httpx.ConnectError)
        except httpx.ConnectError as error:
            raise CommandError(f"nothing answers at {self._base}", "start the stack with `fitmonitor up`") from error


def _attempt(
    post: Callable[[], httpx.Response], passing: type[httpx.TransportError] | tuple[()] = ()
) -> httpx.Response | None:
    try:
        return post()
    except passing:
        raise
    except httpx.TransportError:  # what was sent may have been decided: only the same question again can tell
        return None


def _pause(answer: httpx.Response | None) -> float:
    after = answer.headers.get("Retry-After", "") if answer is not None else ""
    return max(_PAUSE_S, float(after)) if after.isdecimal() else _PAUSE_S


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CommandError(
            f"{answer.url} does not answer as this system does ({answer.status_code})", "see `fitmonitor status`"
        )
    if answer.is_success:
        return document
    mend = {401: "see --device", 403: "see --gate and --device", 404: "see --gate", 409: "use another --scan-id"}
    told = str(document.get("detail") or document.get("title") or "no reason was given").removesuffix(".")
    raise CommandError(
        f"the stack refused the question ({answer.status_code}): {told}", mend.get(answer.status_code, "")
    )
