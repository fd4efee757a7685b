"""Plans bought over the interface, as tests want them, and a payment provider that can be away as Serve tells of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import httpx

from deployments.http.problems import retryable
from deployments.idempotent_calls import IdempotentAnswer
from deployments.payments.services import PaymentServices, payment_services
from domain.idempotency import IdempotentRequest, KeyState
from domain.identity.model import Role
from domain.payments.ports import PaymentsUnavailableError
from tests.unit.deployments.harness import PUBLIC_URL, Harness, LocalServices

P = ParamSpec("P")
R = TypeVar("R")

Json = dict[str, Any]
EUR_10 = {"amount": 1000, "currency": "EUR"}
SUCCESS, CANCEL = f"{PUBLIC_URL}/paid", f"{PUBLIC_URL}/turned-back"


class _ByHandle:
    """Services as `deployments.http.handles` reaches them in Serve; that module needs Ray."""

    def __init__(self, services: LocalServices[PaymentServices]) -> None:
        self._services = services

    async def __call__(self, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        with _unavailable_provider():
            return await self._services(method, *args, **kwargs)

    async def once(
        self,
        request: IdempotentRequest,
        method: Callable[Concatenate[Any, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> IdempotentAnswer[R] | KeyState:
        with _unavailable_provider():
            return await self._services.once(request, method, *args, **kwargs)


@contextmanager
def _unavailable_provider() -> Iterator[None]:
    try:
        yield
    except PaymentsUnavailableError as error:
        raise retryable("unavailable", "Service unavailable: payment provider.", seconds=2) from error


def by_handle(harness: Harness) -> None:
    """Let the gateway reach payments as it does in Serve, where a provider that is away is a part that is away."""
    rest: Any = harness.shell._rest  # noqa: SLF001 - a FastAPI application
    rest.state.dependencies = replace(rest.state.dependencies, payments=_ByHandle(harness.payments))


def without_provider(harness: Harness) -> None:
    """Let nobody have set a key."""
    harness.payments.services = payment_services(harness.world.store, harness.world.clock)


def days_pass(harness: Harness, days: float) -> None:
    harness.world.clock.forward(days * 86_400)


def newcomer(harness: Harness) -> tuple[UUID, dict[str, str]]:
    """Somebody without a membership, and their token."""
    member = harness.world.newcomer()
    return member, harness.bearer(Role.USER, user_id=member)


async def checkout(
    harness: Harness, headers: dict[str, str], plan: UUID | None = None, **wanted: object
) -> httpx.Response:
    body = {"plan_id": str(plan or harness.world.plan)} | wanted
    return await harness.client.post("/checkouts", json=body, headers=headers)


async def ordered(harness: Harness, headers: dict[str, str], plan: UUID | None = None, **wanted: object) -> Json:
    """An order that is not paid yet."""
    answer = await checkout(harness, headers, plan, **wanted)
    assert answer.status_code == 201, answer.text
    order: Json = answer.json()
    return order


def session_of(order: Json) -> str:
    """The provider's page of an open order."""
    url: str = order["url"]
    return url.rpartition("/")[2]


async def checked(harness: Harness, headers: dict[str, str], order: Json) -> Json:
    """An order after the provider was asked about it."""
    answer = await harness.client.post(f"/orders/{order['id']}/check", headers=headers)
    assert answer.status_code == 200, answer.text
    now: Json = answer.json()
    return now


async def bought(harness: Harness, headers: dict[str, str], plan: UUID | None = None) -> Json:
    """An order that is paid."""
    order = await ordered(harness, headers, plan)
    harness.payment_provider.pay(session_of(order))
    paid = await checked(harness, headers, order)
    assert paid["state"] == "paid"
    return paid


async def sold_at_desk(
    harness: Harness, staff: dict[str, str], member: UUID, method: str = "cash", **wanted: object
) -> httpx.Response:
    body = {"member_id": str(member), "plan_id": str(harness.world.plan), "method": method} | wanted
    return await harness.client.post("/desk-payments", json=body, headers=staff)


async def made_plan(harness: Harness, admin: dict[str, str], **wanted: object) -> Json:
    body = {"name": "90 days", "days": 90, "price": {"amount": 2500, "currency": "EUR"}} | wanted
    answer = await harness.client.post("/plans", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    plan: Json = answer.json()
    return plan
