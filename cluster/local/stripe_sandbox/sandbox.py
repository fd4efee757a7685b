"""The state of the sandbox, which its API, its pages and its control interface share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Self

from pydantic import SecretStr

from cluster.local.stripe_sandbox.events import Events
from cluster.local.stripe_sandbox.idempotency import IdempotencyKeys
from cluster.local.stripe_sandbox.store import Store
from cluster.local.stripe_sandbox.switches import ControlPanel


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the sandbox shares with its one client."""

    api_key: SecretStr
    webhook_secret: SecretStr
    webhook_url: str


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of the sandbox. Every change is made inside a transaction of `store`.

    Args:
        secrets: shared with the client.
        base_url: of this server.
        store: all objects.
        panel: switches and faults.
        events: records what happens.
        keys: idempotency keys.
        calls: number of calls by method and path.
    """

    secrets: Secrets
    base_url: str
    store: Store
    panel: ControlPanel
    events: Events
    keys: IdempotencyKeys
    calls: Counter[str]

    @classmethod
    def open(cls, folder: Path, secrets: Secrets, base_url: str, clock: Callable[[], float] = time) -> Self:
        """Open the sandbox whose files are in a folder.

        Raises:
            UnsafeStartError: another sandbox uses the folder.
        """
        store = Store(folder, clock)
        panel = ControlPanel(store)
        events = Events(store, panel, has_endpoint=bool(secrets.webhook_url))
        return cls(secrets, base_url, store, panel, events, IdempotencyKeys(store), Counter())
