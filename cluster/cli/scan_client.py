"""The client of a gate device for one scan: which gate and credential it uses, and its calls, which it retries."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from cluster.demo_data import read_demo
from cluster.errors import CommandError
from domain.text import comparison_key
from integrations.settings import Settings

DEVICE_VARIABLE = "FITMONITOR_DEVICE"

_TIMEOUT_S = 3.0  # a little longer than the door's own deadline
_PAUSE_S = 0.3
_RETRIED_STATUSES = {429, 502, 503, 504}
_HINTS = {
    401: "check --device",
    403: "check --gate and --device",
    404: "check --gate",
    409: "use another --scan-id",
}


class NoAnswerError(Exception):
    """The scan was not answered in time."""


@dataclass(frozen=True, slots=True)
class Door:
    """A gate, and the credential `<id>.<secret>` of a device that may scan there."""

    gate_id: str
    credential: str = field(repr=False)


def choose_door(settings: Settings, gate: str | None, device: str | None) -> Door:
    """The door to scan at; by default the demo's first gate that serves both directions.

    Args:
        settings: of the stack; the demo's file is in its data folder.
        gate: an id, or a name of the demo: `GATE` or `GYM/GATE`.
        device: a credential (default: FITMONITOR_DEVICE, else that of the demo's gate).

    Raises:
        CommandError: there is no such gate, or no credential for it.
    """
    found = _find_gate(list(_demo_gates(settings)), gate)
    gate_id = found["id"] if found else _parse_gate_id(gate)
    credential = device or os.environ.get(DEVICE_VARIABLE) or (found["device"] if found else "")
    if not credential:
        raise CommandError("there is no device credential for this gate", f"add --device or set {DEVICE_VARIABLE}")
    return Door(gate_id, credential)


class ScanClient:
    """A device at one gate.

    Args:
        base: the stack's address, as `http://127.0.0.1:8000`.
        door: the gate and the credential.
        retry_for_s: how long a scan without an answer is retried, in seconds.
    """

    def __init__(self, base: str, door: Door, retry_for_s: float = 10.0) -> None:
        self._base = base
        self._door = door
        self._retry_for_s = retry_for_s

    def scan(self, code: str, direction: str, scan_id: str) -> dict[str, Any]:
        """Send a scan and return the decision. Retries carry the same id, so that the scan is decided once.

        Raises:
            NoAnswerError: there was no answer in time.
            CommandError: the request was refused, or nothing answers at the address.
        """
        body = {"code": code, "gate_id": self._door.gate_id, "direction": direction, "scan_id": scan_id}
        return self._post("/api/scans", body)

    def annul(self, scan_id: str) -> dict[str, Any]:
        """Annul a scan of this device; raises as `scan`."""
        return self._post(f"/api/scans/{quote(scan_id, safe='')}/annul", {"reason": "command line"})

    def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        until = time.monotonic() + self._retry_for_s
        headers = {"Authorization": f"Device {self._door.credential}"}
        with httpx.Client(base_url=self._base, headers=headers, trust_env=False, timeout=_TIMEOUT_S) as client:
            response = self._first_attempt(lambda: client.post(path, json=body))
            while response is None or response.status_code in _RETRIED_STATUSES:
                pause = _pause(response)
                if time.monotonic() + pause >= until:
                    raise NoAnswerError
                time.sleep(pause)
                response = _attempt(lambda: client.post(path, json=body))
        return _document(response)

    def _first_attempt(self, post: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            return _attempt(post, raised=httpx.ConnectError)
        except httpx.ConnectError as error:
            raise CommandError(f"nothing answers at {self._base}", "start the stack with `fitmonitor up`") from error


def _demo_gates(settings: Settings) -> Iterator[dict[str, Any]]:
    try:
        demo = read_demo(settings) or {"gyms": []}
        for gym in demo["gyms"]:
            for gate in gym["gates"]:
                yield {**gate, "gym": gym["name"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            "demo.json in the data folder cannot be read", "create it again with `fitmonitor up --demo`"
        ) from error


def _find_gate(gates: list[dict[str, Any]], typed: str | None) -> dict[str, Any] | None:
    if typed is None:
        return next((gate for gate in gates if gate["serves"] == "both"), None)
    name = comparison_key(typed)
    return next(
        (
            gate
            for gate in gates
            if name in {gate["id"], *map(comparison_key, (gate["name"], f"{gate['gym']}/{gate['name']}"))}
        ),
        None,
    )


def _parse_gate_id(gate: str | None) -> str:
    if gate is None:
        raise CommandError(
            "the gate is missing, and this stack has no demo", "add --gate ID, or start with `fitmonitor up --demo`"
        )
    try:
        return str(UUID(gate))
    except ValueError as error:
        raise CommandError(f"there is no gate {gate}", "use a gate's id, or a name in demo.json") from error


def _attempt(
    post: Callable[[], httpx.Response], raised: type[httpx.TransportError] | tuple[()] = ()
) -> httpx.Response | None:
    try:
        return post()
    except raised:
        raise
    except httpx.TransportError:  # the scan may have been decided: only the same request again can tell
        return None


def _pause(response: httpx.Response | None) -> float:
    after = response.headers.get("Retry-After", "") if response is not None else ""
    return max(_PAUSE_S, float(after)) if after.isdecimal() else _PAUSE_S


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CommandError(
            f"the response of {response.url} is not one of FIT Monitor ({response.status_code})",
            "see `fitmonitor status`",
        )
    if response.is_success:
        return document
    reason = str(document.get("detail") or document.get("title") or "no reason given").removesuffix(".")
    raise CommandError(
        f"the stack refused the request ({response.status_code}): {reason}", _HINTS.get(response.status_code, "")
    )
