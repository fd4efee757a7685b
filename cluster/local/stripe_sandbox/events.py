"""Events: what happened, with the object as it was then. The webhooks to send are queued in the same transaction."""

from collections.abc import Callable, Mapping
from typing import Any

from cluster.local.stripe_sandbox.store import Body, Store, new_id
from cluster.local.stripe_sandbox.switches import ControlPanel

EVENT = "event"
# The webhook endpoint of FIT Monitor is registered for the events that begin so. Other events are only listed.
SENT = ("checkout.session.", "refund.", "charge.refunded", "charge.dispute.")
PENDING, HELD, DROPPED = "pending", "held", "dropped"


class Events:
    """Records events and queues their webhooks.

    Args:
        store: where they are saved.
        panel: how webhooks are sent.
        has_endpoint: whether there is an address to send webhooks to.
    """

    def __init__(self, store: Store, panel: ControlPanel, *, has_endpoint: bool) -> None:
        self._store = store
        self._panel = panel
        self._has_endpoint = has_endpoint
        # Id and idempotency key of the current API call; None for what happens by itself or from a page.
        self.request: tuple[str | None, str | None] = (None, None)
        self.on_queued: Callable[[], None] = lambda: None

    def record(self, kind: str, about: Body, before: Mapping[str, Any] | None = None) -> None:
        """Record that something happened.

        Args:
            kind: the event's type, such as `checkout.session.completed`.
            about: the object after the change.
            before: the changed fields as they were, where Stripe reports them.
        """
        is_sent = self._has_endpoint and kind.startswith(SENT)
        request_id, key = self.request
        event: Body = {
            "id": new_id("evt"),
            "object": EVENT,
            "api_version": self._panel.switches.api_version,
            "created": self._store.now(),
            "data": {"object": about} | ({} if before is None else {"previous_attributes": dict(before)}),
            "livemode": False,
            "pending_webhooks": int(is_sent),
            "request": {"id": request_id, "idempotency_key": key},
            "type": kind,
        }
        self._store.save(event)
        if not is_sent:
            return
        switches = self._panel.switches
        if self._panel.drops_event():
            self._queue(event["id"], DROPPED)
            return
        for _ in range(1 + switches.repeat):
            self._queue(event["id"], HELD if switches.reorder else PENDING, switches.delay_s)

    def resend(self, event_id: str) -> Body:
        """Send an event once more, whatever the switches say.

        Raises:
            MissingResourceError: there is no such event.
        """
        event = self._store.get(EVENT, event_id).body
        self._queue(event_id, PENDING)
        return event

    def _queue(self, event_id: str, state: str, delay_s: float = 0) -> None:
        now = self._store.clock()
        sql = "INSERT INTO deliveries (event, state, next_at, first_at) VALUES (?, ?, ?, ?)"
        self._store.run(sql, (event_id, state, now + delay_s, now))
        self.on_queued()
