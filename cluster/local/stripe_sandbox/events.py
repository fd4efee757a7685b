"""Events as Stripe makes them, and their way: kept, and put on their way to the webhook."""

import secrets
import time

from cluster.local.stripe_sandbox.store import Json, SandboxStore
from cluster.local.stripe_sandbox.switches import Switches
from integrations.stripe import API_VERSION


class EventLog:
    """Keeps events and queues their deliveries.

    Args:
        store: keeps them.
        sends: whether there is a webhook at all.
    """

    def __init__(self, store: SandboxStore, *, sends: bool) -> None:
        self._store = store
        self._sends = sends
        self._held: list[str] = []
        self.switches = Switches.model_validate(store.kept("switches") or {})

    def set(self, switches: Switches) -> None:
        """Switch."""
        self._store.keep("switches", switches.model_dump())
        self.switches = switches
        if not switches.reorder:
            self._let_go()

    def happened(self, kind: str, about: Json) -> Json:
        """Something has happened to an object."""
        event: Json = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": self.switches.api_version or API_VERSION,
            "created": int(time.time()),
            "data": {"object": shown(about)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self._store.put(event)
        self._queue(event["id"])
        return event

    def resend(self, event_id: str) -> None:
        """Send an event once more."""
        self._store.deliver(event_id, time.time())

    def _queue(self, event_id: str) -> None:
        switches = self.switches
        if not self._sends or switches.drop:
            if switches.drop > 0:
                self.set(switches.model_copy(update={"drop": switches.drop - 1}))
            return
        self._held.append(event_id)
        if len(self._held) > switches.reorder:
            self._let_go()

    def _let_go(self) -> None:
        due = time.time() + self.switches.delay_s
        for event_id in reversed(self._held):
            for _ in range(1 + self.switches.repeat):
                self._store.deliver(event_id, due)
        self._held.clear()


def shown(body: Json) -> Json:
    """An object without what the sandbox alone knows of it."""
    return {name: value for name, value in body.items() if not name.startswith("_")}
