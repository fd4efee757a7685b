"""A whole stack in which members buy, and the sandbox that stands for Stripe beside it."""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import insert, select

from domain.clock import system_clock
from domain.identity.model import Role
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.ledger_check import check_ledger
from domain.memberships.tables import ledger_entries, memberships
from domain.payments.tables import invoices, orders
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings
from tests.faults.full_stack.full_stack import Whole
from tests.waiting import wait_until

PAID_WITHIN_S = 60.0  # of the parts being back, and what it takes in calm some times over
_TIMES_CALM = 10
_ASK_FOR_S = 240.0


@dataclass
class Shop:
    """Members who buy on a whole stack."""

    whole: Whole
    client: httpx.Client
    ours: set[UUID] = field(default_factory=set)  # members
    plan_id: str = ""
    calm_s: float = 0.0  # from a purchase to its days

    def __post_init__(self) -> None:
        answer = self.client.get("/plans")
        self.plan_id = next(plan["id"] for plan in answer.json()["items"] if plan["days"] == 30)
        (bought,) = self.orders(1)
        began_at = time.monotonic()
        self.pay(bought)
        wait_until(lambda: self.states([bought]) == {"paid": 1})
        self.calm_s = time.monotonic() - began_at

    def member(self) -> UUID:
        user_id = new_id()
        with self.whole.store.writing() as connection:
            values = {"id": user_id, "email": f"{user_id}@example.org", "name": "Mia", "created_at": system_clock()}
            connection.execute(insert(users).values(**values))
        self.ours.add(user_id)
        return user_id

    def bearer(self, user_id: UUID, *roles: Role) -> dict[str, str]:
        settings = Settings(data_dir=self.whole.stack.data_dir)
        token = mint_access_token(
            settings, sub=user_id, email=f"{user_id}@example.org", groups=list(roles), lifetime=timedelta(hours=1)
        )
        return {"Authorization": f"Bearer {token}"}

    def order(self, member: UUID | None = None) -> dict[str, Any]:
        """An order, asked for again under its key for as long as a part is away."""
        headers = self.bearer(member or self.member(), Role.USER) | {"Idempotency-Key": uuid4().hex}
        give_up = time.monotonic() + _ASK_FOR_S
        while True:
            try:
                answer = self.client.post("/checkouts", json={"plan_id": self.plan_id}, headers=headers)
            except httpx.TransportError:
                answer = httpx.Response(503)
            if answer.status_code == 201:
                made: dict[str, Any] = answer.json()
                return made
            assert answer.status_code in {409, 500, 502, 503, 504}, answer.text
            assert time.monotonic() < give_up, answer.text
            time.sleep(0.3)

    def orders(self, number: int) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(lambda _: self.order(), range(number)))

    def pay(self, *bought: dict[str, Any]) -> None:
        for order in bought:
            self.control("POST", f"sessions/{session(order)}/pay", {"name": "Mia Moll"})

    def control(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - the sandbox's own JSON
        """The sandbox's switches; it may have to come back first."""
        base = self.whole.stack.record.environment["FITMONITOR_STRIPE__API_BASE"]
        give_up = time.monotonic() + _ASK_FOR_S
        while True:
            try:
                answer = httpx.request(method, f"{base}/_sandbox/{path}", json=body, timeout=60, trust_env=False)
            except httpx.TransportError:
                assert time.monotonic() < give_up
                time.sleep(0.3)
                continue
            assert answer.status_code == 200, answer.text
            return answer.json()

    def wait_paid(self, bought: Sequence[dict[str, Any]]) -> float:
        """Wait until all are paid, within a minute where the machine is calm; how long it took, in s."""
        began_at = time.monotonic()
        wait_until(lambda: self.states(bought) == {"paid": len(bought)})
        took_s = time.monotonic() - began_at
        assert took_s <= PAID_WITHIN_S + _TIMES_CALM * self.calm_s
        return took_s

    def states(self, bought: Sequence[dict[str, Any]]) -> Counter[str]:
        ids = [UUID(order["id"]) for order in bought]
        with self.whole.store.reading() as connection:
            return Counter(connection.execute(select(orders.c.state).where(orders.c.id.in_(ids))).scalars())

    def assert_prolonged_once(self, bought: Sequence[dict[str, Any]]) -> None:
        """Each order is in the ledger once, with one invoice, and everything of these members adds up."""
        ids = [UUID(order["id"]) for order in bought]
        with self.whole.store.reading() as connection:
            booked = Counter(
                connection.execute(
                    select(ledger_entries.c.order_id).where(
                        ledger_entries.c.order_id.in_(ids), ledger_entries.c.kind == "purchase"
                    )
                ).scalars()
            )
            issued = Counter(
                connection.execute(select(invoices.c.order_id).where(invoices.c.order_id.in_(ids))).scalars()
            )
            numbers = list(connection.execute(select(invoices.c.number).order_by(invoices.c.number)).scalars())
            held = set(
                connection.execute(select(memberships.c.id).where(memberships.c.member_id.in_(self.ours))).scalars()
            )
            wrong = [each for each in check_ledger(connection) if each.about in held | set(ids)]
        assert booked == issued == Counter(ids)
        assert numbers == list(range(1, len(numbers) + 1))
        assert wrong == []


def session(order: dict[str, Any]) -> str:
    url: str = order["url"]
    return url.rsplit("/", 1)[-1]
