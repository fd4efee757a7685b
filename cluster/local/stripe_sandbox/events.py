"""Events: what happened, with the object as it was then, and its webhook waiting beside it."""

from collections.abc import Callable, Mapping
from typing import Any

from cluster.local.stripe_sandbox.ids import new_id
from cluster.local.stripe_sandbox.store import Body, Store
from cluster.local.stripe_sandbox.switches import Panel

# What the endpoint of a gym is registered for. The rest happens too, and is listed, but is sent only on demand.
SENT = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.expired",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    }
)
PENDING, HELD, DROPPED = "pending", "held", "dropped"
_ADD = "INSERT INTO deliveries (event, state, next_at, first_at) VALUES (?, ?, ?, ?)"


class Events:
    """Records events within the transaction of what they tell of.

    Args:
        store: where they are kept.
        panel: decides how they are sent.
        sends: whether there is an address to send them to.
    """

    def __init__(self, store: Store, panel: Panel, *, sends: bool) -> None:
        self._store = store
        self._panel = panel
        self._sends = sends
        # Set by the call that is being carried out: what happens by itself has no request.
        self.request: tuple[str | None, str | None] = (None, None)
        self.on_event: Callable[[], None] = lambda: None

    def tell(self, kind: str, about: Body, before: Mapping[str, Any] | None = None) -> str:
        """Record that something happened.

        Args:
            kind: `checkout.session.completed`.
            about: the object as it is now.
            before: what was different, where Stripe tells it.

        Returns:
            The event's id.
        """
        sends = self._sends and (kind in SENT or self._panel.switches.all_events)
        request_id, key = self.request
        data: Body = {"object": about}
        if before is not None:
            data["previous_attributes"] = dict(before)
        event: Body = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": self._panel.switches.api_version,
            "created": self._store.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1 if sends else 0,
            "request": {"id": request_id, "idempotency_key": key},
            "type": kind,
        }
        self._store.save(event)
        if sends:
            self._queue(str(event["id"]))
        return str(event["id"])

    def send_again(self, event_id: str) -> None:
        """Put an event into the queue once more, whatever the switches say of new ones."""
        now = self._store.clock()
        self._store.run(_ADD, (event_id, PENDING, now, now))
        self.on_event()

    def _queue(self, event_id: str) -> None:
        now, switches = self._store.clock(), self._panel.switches
        if self._panel.drops():
            self._store.run(_ADD, (event_id, DROPPED, now, now))
            return
        state = HELD if switches.reorder else PENDING
        for _ in range(1 + switches.repeat):
            self._store.run(_ADD, (event_id, state, now + switches.delay_s, now))
        self.on_event()
