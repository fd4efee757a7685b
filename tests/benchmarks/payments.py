"""What payments cost, on a stack of the full profile with the sandbox instead of Stripe.

Run `python -m tests.benchmarks.payments`; it takes some four minutes.
"""

import hashlib
import hmac
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr
from sqlalchemy import Connection, event, func, insert, select

from domain.clock import system_clock
from domain.identity.model import Role
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.plan_repository import PlanRepository
from domain.paging import PageRequest
from domain.payments.checkout import Checkouts, WantedCheckout
from domain.payments.model import Order
from domain.payments.reconciliation import Reconciliation
from domain.payments.settlement import OrderSettlement
from domain.payments.tables import orders, stripe_events
from domain.unit_of_work import Store
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings, StripeSettings
from integrations.stripe.provider import StripePayments
from tests.stacks import TestedStack

WEBHOOK_SECONDS, WEBHOOK_CONNECTIONS = 10.0, 8
CHECKOUTS, CHECKOUT_CONNECTIONS = 300, 8
OPEN_ORDERS = 10_000


def report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


class Bench:
    def __init__(self, stack: TestedStack) -> None:
        environment = stack.record.environment
        self.stack, self.url = stack, stack.record.url
        self.sandbox = environment["FITMONITOR_STRIPE__API_BASE"]
        self.secret = environment["FITMONITOR_STRIPE__WEBHOOK_SECRET"]
        self.store = Store(environment["FITMONITOR_DATABASE__URL"], pool_size=8)
        settings = StripeSettings(
            api_key=SecretStr(environment["FITMONITOR_STRIPE__API_KEY"]),
            webhook_secret=SecretStr(self.secret),
            api_base=self.sandbox,
        )
        self.provider = StripePayments(settings)
        with self.store.reading() as connection:
            plans = PlanRepository(connection).plans(PageRequest())
        self.plan = plans.items[0].id

    def members(self, number: int) -> list[dict[str, str]]:
        """Tokens of new members."""
        settings = Settings(data_dir=self.stack.data_dir)
        ids = [new_id() for _ in range(number)]
        now = system_clock()
        rows = [{"id": id_, "email": f"{id_}@example.org", "name": "Mia", "created_at": now} for id_ in ids]
        with self.store.writing() as connection:
            connection.execute(insert(users), rows)
        return [
            {
                "Authorization": "Bearer "
                + mint_access_token(
                    settings, sub=id_, email=f"{id_}@example.org", groups=[Role.USER], lifetime=timedelta(hours=1)
                )
            }
            for id_ in ids
        ]

    def control(self, method: str, path: str, body: object = None) -> dict[str, int]:
        answer = httpx.request(method, f"{self.sandbox}/_sandbox/{path}", json=body, timeout=120, trust_env=False)
        answer.raise_for_status()
        found: dict[str, int] = answer.json()
        return found

    def webhooks(self) -> None:
        until = time.monotonic() + WEBHOOK_SECONDS

        def send(_number: int) -> list[float]:
            took = []
            with httpx.Client(trust_env=False) as client:
                while time.monotonic() < until:
                    payload = json.dumps(self._event()).encode()
                    at = int(time.time())
                    signed = hmac.new(self.secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
                    headers = {"Stripe-Signature": f"t={at},v1={signed}", "Content-Type": "application/json"}
                    began = time.monotonic()
                    answer = client.post(f"{self.url}/api/payments/webhooks", content=payload, headers=headers)
                    took.append(time.monotonic() - began)
                    assert answer.status_code == 204, answer.text
            return took

        with ThreadPoolExecutor(WEBHOOK_CONNECTIONS) as threads:
            took = [each for part in threads.map(send, range(WEBHOOK_CONNECTIONS)) for each in part]
        p50, p99 = (1000 * percentile(took, share) for share in (0.5, 0.99))
        rate = len(took) / WEBHOOK_SECONDS
        report(f"webhooks: {rate:.0f}/s at {WEBHOOK_CONNECTIONS} connections, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        began = time.monotonic()
        with self.store.reading() as connection:
            kept = connection.execute(select(func.count()).select_from(stripe_events)).scalar_one()
        assert kept >= len(took)
        report(f"  kept: {kept} events ({time.monotonic() - began:.2f} s to count)")

    def checkouts(self) -> list[str]:
        members = self.members(CHECKOUTS)
        took: list[float] = []

        def order(headers: dict[str, str]) -> str:
            began = time.monotonic()
            answer = self._client.post("/api/checkouts", json={"plan_id": str(self.plan)}, headers=headers)
            took.append(time.monotonic() - began)
            assert answer.status_code == 201, answer.text
            url: str = answer.json()["url"]
            return url.rsplit("/", 1)[-1]

        began = time.monotonic()
        with (
            httpx.Client(base_url=self.url, timeout=60, trust_env=False) as self._client,
            ThreadPoolExecutor(CHECKOUT_CONNECTIONS) as threads,
        ):
            sessions = list(threads.map(order, members))
        rate = CHECKOUTS / (time.monotonic() - began)
        p50, p99 = (1000 * percentile(took, share) for share in (0.5, 0.99))
        report(f"checkouts: {rate:.0f}/s at {CHECKOUT_CONNECTIONS} connections, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        return sessions

    def fulfilments(self, sessions: Sequence[str]) -> None:
        self.control("PUT", "switches", {"paused": True})
        for session_id in sessions:
            self.control("POST", f"sessions/{session_id}/pay", {})
        began = time.monotonic()
        self.control("PUT", "switches", {})
        while self._paid(sessions) < len(sessions):
            assert time.monotonic() - began < 120
            time.sleep(0.1)
        rate = len(sessions) / (time.monotonic() - began)
        report(f"fulfilments: {rate:.0f}/s, from the sending of {len(sessions)} webhooks to the last order paid")

    def cost(self) -> None:
        now = system_clock()
        member = new_id()
        with self.store.writing() as connection:
            connection.execute(insert(users).values(id=member, email=f"{member}@e.org", name="Mia", created_at=now))
        settlement = OrderSettlement(self.store, self.provider, system_clock)
        order = self._ordered(member)
        self.control("PUT", "switches", {"drop": -1})
        self.control("POST", f"sessions/{order.session_id}/pay", {})
        for what, call in (
            ("a checkout", lambda: self._ordered(member)),
            ("a fulfilment", lambda: settlement.settle(order.id)),
            ("a fulfilment of what is fulfilled", lambda: settlement.settle(order.id)),
        ):
            statements, calls = self._counted(call)
            report(f"{what}: {calls} calls of Stripe, {statements} SQL statements")

    def reconcile(self) -> None:
        now = system_clock()
        ids = [new_id() for _ in range(OPEN_ORDERS)]
        with self.store.writing() as connection:
            connection.execute(
                insert(users), [{"id": i, "email": f"{i}@e.org", "name": "Mia", "created_at": now} for i in ids]
            )
        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(self._ordered, ids))
        report(f"  {OPEN_ORDERS} open orders made in {time.monotonic() - began:.0f} s")
        for order in made[:50]:
            self.control("POST", f"sessions/{order.session_id}/pay", {})
        self.control("DELETE", "calls")
        began = time.monotonic()
        done = Reconciliation(self.store, self.provider, system_clock).run()
        took = time.monotonic() - began
        calls = self.control("GET", "calls")
        paid = len(set(done.mended))
        counts = f"{done.orders_checked} open orders, {paid} of them corrected"
        report(f"reconciled {counts}, in {took:.1f} s; calls: {calls}")

    def _ordered(self, member: UUID) -> Order:
        checkouts = Checkouts(self.store, self.provider, system_clock)
        wanted = WantedCheckout(self.plan, "http://127.0.0.1/ok", "http://127.0.0.1/no")
        order = self.store.written(lambda one: checkouts.order(one, member, wanted))
        assert isinstance(order, UUID), order
        opened = checkouts.open_page(order)
        assert isinstance(opened, Order), opened
        return opened

    def _counted(self, call: Callable[[], object]) -> tuple[int, int]:
        statements = 0

        def count(*_args: object) -> None:
            nonlocal statements
            statements += 1

        event.listen(self.store.engine, "before_cursor_execute", count)
        self.control("DELETE", "calls")
        call()
        event.remove(self.store.engine, "before_cursor_execute", count)
        return statements, sum(self.control("GET", "calls").values())

    def _paid(self, sessions: Sequence[str]) -> int:
        def count(connection: Connection) -> int:
            query = (
                select(func.count())
                .select_from(orders)
                .where(orders.c.session_id.in_(sessions), orders.c.state == "paid")
            )
            number: int = connection.execute(query).scalar_one()
            return number

        with self.store.reading() as connection:
            return count(connection)

    def _event(self) -> dict[str, object]:
        about = {"id": f"cs_test_{uuid4().hex}", "object": "checkout.session", "metadata": {}}
        return {
            "id": f"evt_{uuid4().hex}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()),
            "data": {"object": about},
            "livemode": False,
            "type": "checkout.session.completed",
        }


def main() -> None:
    """Measure, and tell."""
    folder = Path(tempfile.mkdtemp(prefix="fm-payments-"))
    stack = TestedStack(folder, profile="full", environment={"FITMONITOR_PAYMENTS__RECONCILE_EVERY_S": "3600"})
    try:
        stack.start()
        bench = Bench(stack)
        bench.webhooks()
        sessions = bench.checkouts()
        bench.fulfilments(sessions)
        bench.cost()
        bench.reconcile()
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
