"""Webhooks: events are signed as Stripe signs them, sent, and sent again until they are taken."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from typing import Any

import httpx

from cluster.local.stripe_sandbox.events import HELD, PENDING
from cluster.local.stripe_sandbox.store import Store
from cluster.local.stripe_sandbox.switches import Panel
from cluster.local.stripe_sandbox.world import Secrets

_DELIVERED, _FAILED = "delivered", "failed"
_PATIENCE_S = 10.0
_AT_ONCE = 16
_LONGEST_WAIT_S = 300.0
# Stripe gives up after three days.
_GIVEN_UP_S = 3 * 86_400
_SUCCESS = range(200, 300)
_LOOK_AGAIN_S = 0.5
_log = logging.getLogger(__name__)


def sign(payload: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` of a payload (docs.stripe.com/webhooks#verify-manually).

    Args:
        payload: the body as it is sent.
        secret: shared with the receiver.
        timestamp: seconds since the epoch.
    """
    signed = str(timestamp).encode() + b"." + payload
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks:
    """Sends what waits in the queue, up to 16 at once.

    Args:
        store: of the queue.
        panel: repeats, delays, reorders, pauses.
        secrets: where to, and signed with what.
    """

    def __init__(self, store: Store, panel: Panel, secrets: Secrets) -> None:
        self._store = store
        self._panel = panel
        self._secrets = secrets
        self._in_flight: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._noted = asyncio.Event()
        # Proxies are ignored: nothing may leave this machine.
        self._client = httpx.AsyncClient(
            timeout=_PATIENCE_S, trust_env=False, limits=httpx.Limits(max_connections=_AT_ONCE)
        )

    def wake(self) -> None:
        """Look into the queue now."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._woken.clear()
                wait_s = self._start_due()
                try:
                    await asyncio.wait_for(self._woken.wait(), wait_s)
                except TimeoutError:
                    continue
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._client.aclose()

    async def flush(self, timeout_s: float, *, at_once: bool) -> dict[str, Any]:
        """Release what is held and wait until the queue is empty.

        Args:
            timeout_s: at most so long.
            at_once: whether what is delayed, or waits to be sent again, is sent now.

        Returns:
            The counts of `counts`, and whether the queue is empty.
        """
        if not self._panel.switches.paused:
            self._release(every=True)
        if at_once:
            now = self._store.clock()
            self._store.run("UPDATE deliveries SET next_at = ? WHERE state = ? AND next_at > ?", (now, PENDING, now))
        self.wake()
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._is_empty() and not self._panel.switches.paused:
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            self._noted.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._noted.wait(), min(left_s, _LOOK_AGAIN_S))
        counts = self.counts()
        return {"empty": self._is_empty(), "waiting": counts[PENDING] + counts[HELD], **counts}

    def counts(self) -> dict[str, int]:
        """How many deliveries are in each state, and how many times one was tried."""
        found = dict.fromkeys((PENDING, HELD, _DELIVERED, _FAILED, "dropped"), 0)
        attempts = 0
        for state, number, tried in self._store.run(
            "SELECT state, COUNT(*), SUM(attempts) FROM deliveries GROUP BY state"
        ):
            found[state] = number
            attempts += tried
        return {**found, "attempts": attempts}

    def latest(self, limit: int, event_id: str | None = None) -> Sequence[dict[str, Any]]:
        """The newest deliveries, of all events or of one."""
        sql = (
            "SELECT d.id, d.event, e.state, d.state, d.attempts, d.answer, d.next_at FROM deliveries d"
            " JOIN objects e ON e.id = d.event WHERE ? IS NULL OR d.event = ? ORDER BY d.id DESC LIMIT ?"
        )
        names = ("id", "event", "type", "state", "attempts", "answer", "next_at")
        return [dict(zip(names, row, strict=True)) for row in self._store.run(sql, (event_id, event_id, limit))]

    def _is_empty(self) -> bool:
        waiting = self._store.run("SELECT 1 FROM deliveries WHERE state IN (?, ?) LIMIT 1", (PENDING, HELD))
        return not waiting and not self._in_flight

    def _start_due(self) -> float:
        """Begin what is due; returns how long nothing else will be."""
        if self._panel.switches.paused:
            return _LOOK_AGAIN_S
        self._release(every=False)
        now = self._store.clock()
        sql = "SELECT id, event, next_at FROM deliveries WHERE state = ? ORDER BY next_at, id LIMIT ?"
        for delivery, event, next_at in self._store.run(sql, (PENDING, _AT_ONCE + len(self._in_flight))):
            if next_at > now:
                return max(0.0, min(float(next_at) - now, _LOOK_AGAIN_S))
            if len(self._in_flight) >= _AT_ONCE:
                break
            if delivery not in self._in_flight:
                self._begin([(delivery, event)])
        return _LOOK_AGAIN_S

    def _release(self, *, every: bool) -> None:
        """Send what is held, the last one first, once there is enough of it."""
        size = self._panel.switches.reorder
        while held := self._store.run("SELECT id, event FROM deliveries WHERE state = ? ORDER BY id", (HELD,)):
            if not every and size and len(held) < size:
                return
            batch = held[:size] if size else held
            marks = ", ".join("?" * len(batch))
            ids = [delivery for delivery, _ in batch]
            self._store.run(f"UPDATE deliveries SET state = ? WHERE id IN ({marks})", [PENDING, *ids])  # noqa: S608
            self._begin(list(reversed(batch)))

    def _begin(self, batch: Sequence[tuple[Any, ...]]) -> None:
        self._in_flight.update(delivery for delivery, _ in batch)
        task = asyncio.get_running_loop().create_task(self._send_all(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_all(self, batch: Sequence[tuple[Any, ...]]) -> None:
        for delivery, event in batch:
            try:
                await self._send(int(delivery), str(event))
            finally:
                self._in_flight.discard(delivery)
                self._noted.set()
        self.wake()

    async def _send(self, delivery: int, event: str) -> None:
        text = self._store.find_text(event, "event")
        payload = json.dumps(json.loads(text or "{}"), indent=2, ensure_ascii=False).encode()
        secret = self._secrets.webhook_secret.get_secret_value()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(payload, secret, self._store.now()),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            async with asyncio.timeout(_PATIENCE_S):
                response = await self._client.post(self._secrets.webhook_url, content=payload, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            self._note(delivery, event, type(error).__name__, taken=False)
        else:
            self._note(delivery, event, str(response.status_code), taken=response.status_code in _SUCCESS)

    def _note(self, delivery: int, event: str, answer: str, *, taken: bool) -> None:
        now = self._store.clock()
        ((attempts, first_at),) = self._store.run("SELECT attempts, first_at FROM deliveries WHERE id = ?", (delivery,))
        wait_s = min(self._panel.switches.retry_s * 2.0**attempts, _LONGEST_WAIT_S)
        state = _DELIVERED if taken else _FAILED if now - first_at > _GIVEN_UP_S else PENDING
        self._store.run(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, answer = ?, next_at = ? WHERE id = ?",
            (state, answer, now if taken else now + wait_s, delivery),
        )
        if not taken:
            _log.warning("webhook was not taken: %s, attempt %d, %s", event, attempts + 1, answer)
