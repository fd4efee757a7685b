"""Webhooks: signed as Stripe signs them, sent side by side, tried again until they are taken."""

import asyncio
import hashlib
import hmac
import json
import time

import httpx
import structlog

from cluster.local.stripe_sandbox.events import EventLog, shown
from cluster.local.stripe_sandbox.store import SandboxStore

_AT_ONCE = 16
_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.02
_DELAYS_S = (0.2, 0.5, 1, 2, 5, 10, 30, 60)
_TAKEN = range(200, 300)
_log = structlog.get_logger(__name__)


class Delivery:
    """Sends what waits.

    Args:
        store: has the queue.
        events: has the switches.
        url: where webhooks go; empty: nowhere.
        secret: signs them.
    """

    def __init__(self, store: SandboxStore, events: EventLog, url: str, secret: str) -> None:
        self._store = store
        self._events = events
        self._url = url
        self._secret = secret
        self._flying: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until cancelled."""
        limits = httpx.Limits(max_connections=_AT_ONCE)
        async with httpx.AsyncClient(timeout=_WITHIN_S, limits=limits, trust_env=False) as client:
            while True:
                if self._url and not self._events.switches.paused:
                    for seq, event_id, tries in self._store.due(time.time(), 4 * _AT_ONCE):
                        if seq not in self._flying and len(self._flying) < _AT_ONCE:
                            self._flying.add(seq)
                            task = asyncio.create_task(self._send(client, seq, event_id, tries))
                            self._tasks.add(task)
                            task.add_done_callback(self._tasks.discard)
                await asyncio.sleep(_LOOK_EVERY_S)

    async def flush(self, within_s: float) -> int:
        """Wait until nothing waits; how many still do."""
        self._store.hasten()
        until = time.monotonic() + within_s
        while self._store.waiting() and time.monotonic() < until:  # noqa: ASYNC110 - the file is what is waited for
            await asyncio.sleep(_LOOK_EVERY_S)
        return len(self._store.waiting())

    async def _send(self, client: httpx.AsyncClient, seq: int, event_id: str, tries: int) -> None:
        try:
            event = self._store.get("event", event_id)
            if event is None:
                self._store.delivered(seq)
                return
            payload = json.dumps(shown(event)).encode()
            headers = {
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": signature(payload, self._secret, int(time.time())),
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            }
            try:
                status = (await client.post(self._url, content=payload, headers=headers)).status_code
                why = f"answered {status}"
            except httpx.HTTPError as error:
                status, why = 0, type(error).__name__
            if status in _TAKEN:
                self._store.delivered(seq)
            else:
                self._store.again(seq, time.time() + _DELAYS_S[min(tries, len(_DELAYS_S) - 1)], why)
                _log.info("webhook_not_taken", event_id=event_id, why=why)
        finally:
            self._flying.discard(seq)


def signature(payload: bytes, secret: str, at: int) -> str:
    """The header `Stripe-Signature` (docs.stripe.com/webhooks#verify-manually)."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"
