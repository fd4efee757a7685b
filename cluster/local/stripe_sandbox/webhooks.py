"""Webhooks: sends events, signed as by Stripe, and repeats each one until it is accepted."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from typing import Any

import httpx

from cluster.local.stripe_sandbox.events import DROPPED, EVENT, HELD, PENDING
from cluster.local.stripe_sandbox.sandbox import Sandbox

_DELIVERED, _FAILED = "delivered", "failed"
_TIMEOUT_S = 10.0
_MAX_IN_FLIGHT = 16
_MAX_RETRY_S = 300.0
_GIVE_UP_AFTER_S = 3 * 86_400  # as Stripe does
_SUCCESS = range(200, 300)
_POLL_S = 0.5
_log = logging.getLogger(__name__)


def sign(payload: bytes, secret: str, timestamp: int) -> str:
    """Compute the header `Stripe-Signature` (https://docs.stripe.com/webhooks#verify-manually).

    Args:
        payload: the body as it is sent.
        secret: shared with the receiver.
        timestamp: seconds since the epoch.
    """
    signed = str(timestamp).encode() + b"." + payload
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks:
    """Sends the queued deliveries, up to 16 at the same time.

    Args:
        sandbox: holds the queue, the switches, and the address and secret of the receiver.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._store = sandbox.store
        self._panel = sandbox.panel
        self._secrets = sandbox.secrets
        self._in_flight: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._attempted = asyncio.Event()
        # Proxies are ignored: nothing may leave this machine.
        limits = httpx.Limits(max_connections=_MAX_IN_FLIGHT)
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, limits=limits)

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._wake.clear()
                wait_s = self._start_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._client.aclose()

    async def flush(self, timeout_s: float, *, at_once: bool) -> dict[str, Any]:
        """Release held deliveries and wait until the queue is empty.

        Args:
            timeout_s: maximum time to wait.
            at_once: also sends what is delayed or waits for a retry.

        Returns:
            The counts of `counts`, how many deliveries wait, and whether the queue is empty.
        """
        if not self._panel.switches.paused:
            self._release_held(every=True)
        if at_once:
            now = self._store.clock()
            self._store.run("UPDATE deliveries SET next_at = ? WHERE state = ? AND next_at > ?", (now, PENDING, now))
        self.wake()
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._is_empty() and not self._panel.switches.paused:
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            self._attempted.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._attempted.wait(), min(left_s, _POLL_S))
        counts = self.counts()
        return {"empty": self._is_empty(), "waiting": counts[PENDING] + counts[HELD], **counts}

    def counts(self) -> dict[str, int]:
        """Count the deliveries by state, and all attempts."""
        found = dict.fromkeys((PENDING, HELD, _DELIVERED, _FAILED, DROPPED), 0)
        attempts = 0
        for state, number, tried in self._store.run(
            "SELECT state, COUNT(*), SUM(attempts) FROM deliveries GROUP BY state"
        ):
            found[state] = number
            attempts += tried
        return {**found, "attempts": attempts}

    def latest(self, limit: int) -> Sequence[dict[str, Any]]:
        """List the newest deliveries."""
        sql = (
            "SELECT d.id, d.event, e.state, d.state, d.attempts, d.answer, d.next_at FROM deliveries d"
            " JOIN objects e ON e.id = d.event ORDER BY d.id DESC LIMIT ?"
        )
        names = ("id", "event", "type", "state", "attempts", "answer", "next_at")
        return [dict(zip(names, row, strict=True)) for row in self._store.run(sql, (limit,))]

    def _is_empty(self) -> bool:
        waiting = self._store.run("SELECT 1 FROM deliveries WHERE state IN (?, ?) LIMIT 1", (PENDING, HELD))
        return not waiting and not self._in_flight

    def _start_due(self) -> float:
        """Start the deliveries that are due; returns the time until the next one, in seconds."""
        if self._panel.switches.paused:
            return _POLL_S
        self._release_held(every=False)
        now = self._store.clock()
        sql = "SELECT id, event, next_at FROM deliveries WHERE state = ? ORDER BY next_at, id LIMIT ?"
        for delivery, event, next_at in self._store.run(sql, (PENDING, _MAX_IN_FLIGHT + len(self._in_flight))):
            if next_at > now:
                return max(0.0, min(float(next_at) - now, _POLL_S))
            if len(self._in_flight) >= _MAX_IN_FLIGHT:
                break
            if delivery not in self._in_flight:
                self._start([(delivery, event)])
        return _POLL_S

    def _release_held(self, *, every: bool) -> None:
        """Send held deliveries in batches, newest first; `every` also releases an incomplete batch."""
        size = self._panel.switches.reorder
        while held := self._store.run("SELECT id, event FROM deliveries WHERE state = ? ORDER BY id", (HELD,)):
            if not every and size and len(held) < size:
                return
            batch = held[:size] if size else held
            marks = ", ".join("?" * len(batch))
            ids = [delivery for delivery, _ in batch]
            self._store.run(f"UPDATE deliveries SET state = ? WHERE id IN ({marks})", [PENDING, *ids])  # noqa: S608
            self._start(list(reversed(batch)))

    def _start(self, batch: Sequence[tuple[Any, ...]]) -> None:
        self._in_flight.update(delivery for delivery, _ in batch)
        task = asyncio.get_running_loop().create_task(self._send_in_order(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_in_order(self, batch: Sequence[tuple[Any, ...]]) -> None:
        for delivery, event in batch:
            try:
                await self._send(int(delivery), str(event))
            finally:
                self._in_flight.discard(delivery)
                self._attempted.set()
        self.wake()

    async def _send(self, delivery: int, event_id: str) -> None:
        event = self._store.get(EVENT, event_id).body
        payload = json.dumps(event, indent=2, ensure_ascii=False).encode()
        secret = self._secrets.webhook_secret.get_secret_value()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(payload, secret, self._store.now()),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                response = await self._client.post(self._secrets.webhook_url, content=payload, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            self._save_attempt(delivery, event_id, type(error).__name__, accepted=False)
        else:
            accepted = response.status_code in _SUCCESS
            self._save_attempt(delivery, event_id, str(response.status_code), accepted=accepted)

    def _save_attempt(self, delivery: int, event_id: str, answer: str, *, accepted: bool) -> None:
        now = self._store.clock()
        ((attempts, first_at),) = self._store.run("SELECT attempts, first_at FROM deliveries WHERE id = ?", (delivery,))
        wait_s = min(self._panel.switches.retry_s * 2.0**attempts, _MAX_RETRY_S)
        state = _DELIVERED if accepted else _FAILED if now - first_at > _GIVE_UP_AFTER_S else PENDING
        self._store.run(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, answer = ?, next_at = ? WHERE id = ?",
            (state, answer, now if accepted else now + wait_s, delivery),
        )
        if not accepted:
            _log.warning("webhook_not_accepted event_id=%s attempt=%d answer=%s", event_id, attempts + 1, answer)
