"""All that the sandbox consists of, behind its pages and its API."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Self

from pydantic import SecretStr

from cluster.local.stripe_sandbox.disputes import Disputes
from cluster.local.stripe_sandbox.events import Events
from cluster.local.stripe_sandbox.idempotency import Keys
from cluster.local.stripe_sandbox.payments import Payments
from cluster.local.stripe_sandbox.refunds import Refunds
from cluster.local.stripe_sandbox.sessions import Sessions
from cluster.local.stripe_sandbox.store import Store
from cluster.local.stripe_sandbox.switches import Panel


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the sandbox shares with its only client; no `repr` shows it."""

    api_key: SecretStr
    webhook_secret: SecretStr
    webhook_url: str


@dataclass(frozen=True, slots=True)
class World:
    """The parts. Whoever changes something does so in a transaction of `store`."""

    secrets: Secrets
    store: Store
    panel: Panel
    events: Events
    payments: Payments
    disputes: Disputes
    refunds: Refunds
    sessions: Sessions
    keys: Keys
    calls: Counter[str]

    @classmethod
    def open(cls, folder: Path, secrets: Secrets, base_url: str, clock: Callable[[], float] = time) -> Self:
        """Put the parts together.

        Args:
            folder: of what is remembered.
            secrets: shared with the client.
            base_url: of this server.
            clock: seconds since the epoch.

        Raises:
            UnsafeStartError: another sandbox holds the folder.
        """
        store = Store(folder, clock)
        panel = Panel(store)
        events = Events(store, panel, sends=bool(secrets.webhook_url))
        payments = Payments(store, events)
        disputes = Disputes(store, events, payments)
        refunds = Refunds(store, events, payments, disputes, panel)
        sessions = Sessions(store, events, payments, panel, base_url)
        return cls(secrets, store, panel, events, payments, disputes, refunds, sessions, Keys(store), Counter())

    def catch_up(self) -> None:
        """Do what should have happened by now: sessions expire, delayed payments end."""
        for _, session_id in self.store.due():
            with self.store.transaction():
                self.events.request = (None, None)
                self.sessions.fall_due(session_id)
