"""A sandbox without a server, and a clock that stands still."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from cluster.local.stripe_sandbox import sessions
from cluster.local.stripe_sandbox.forms import Form, decode
from cluster.local.stripe_sandbox.parameters import NewSession, read
from cluster.local.stripe_sandbox.sandbox import Sandbox, Secrets
from cluster.local.stripe_sandbox.store import Body

SECRETS = Secrets(SecretStr("sk_test_1"), SecretStr("whsec_1"), "http://127.0.0.1:1/hook")
ORDER = (
    "mode=payment&success_url=http://127.0.0.1/s?id={CHECKOUT_SESSION_ID}&line_items[0][quantity]=1"
    "&line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=1000"
    "&line_items[0][price_data][product_data][name]=30+days"
)


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(tmp_path: Path, clock: Clock) -> Iterator[Sandbox]:
    sandbox = Sandbox.open(tmp_path / "sandbox", SECRETS, "http://127.0.0.1:1", clock)
    yield sandbox
    sandbox.store.close()


def order(more: str = "", **instead: str) -> Form:
    """The parameters of a session, with some more, or others instead."""
    form = decode(ORDER + (f"&{more}" if more else ""))
    form.update(instead)
    return form


def create(sandbox: Sandbox, form: Form) -> Body:
    with sandbox.store.transaction():
        return sessions.create(sandbox, "", read(NewSession, form))


def sell(sandbox: Sandbox, more: str = "") -> Body:
    """A new session of 10.00 EUR."""
    return create(sandbox, order(more))


def types(sandbox: Sandbox) -> list[str]:
    """The types of all events, oldest first."""
    return [row[0] for row in sandbox.store.run("SELECT state FROM objects WHERE object = 'event' ORDER BY seq")]
