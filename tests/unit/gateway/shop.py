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
from tests.unit.gateway.rig import PUBLIC_URL, LocalServices, Rig

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


def by_handle(rig: Rig) -> None:
    """Let the gateway reach payments as it does in Serve, where a provider that is away is a part that is away."""
    rest: Any = rig.shell._rest  # noqa: SLF001 - a FastAPI application
    rest.state.dependencies = replace(rest.state.dependencies, payments=_ByHandle(rig.payments))


def without_provider(rig: Rig) -> None:
    """Let nobody have set a key."""
    rig.payments.services = payment_services(rig.world.store, rig.world.clock)


def days_pass(rig: Rig, days: float) -> None:
    rig.world.clock.forward(days * 86_400)


def newcomer(rig: Rig) -> tuple[UUID, dict[str, str]]:
    """Somebody without a membership, and their token."""
    member = rig.world.newcomer()
    return member, rig.bearer(Role.USER, user_id=member)


async def checkout(rig: Rig, headers: dict[str, str], plan: UUID | None = None, **wanted: object) -> httpx.Response:
    body = {"plan_id": str(plan or rig.world.plan)} | wanted
    return await rig.client.post("/checkouts", json=body, headers=headers)


async def ordered(rig: Rig, headers: dict[str, str], plan: UUID | None = None, **wanted: object) -> Json:
    """An order that is not paid yet."""
    answer = await checkout(rig, headers, plan, **wanted)
    assert answer.status_code == 201, answer.text
    order: Json = answer.json()
    return order


def session_of(order: Json) -> str:
    """The provider's page of an open order."""
    url: str = order["url"]
    return url.rpartition("/")[2]


async def checked(rig: Rig, headers: dict[str, str], order: Json) -> Json:
    """An order after the provider was asked about it."""
    answer = await rig.client.post(f"/orders/{order['id']}/check", headers=headers)
    assert answer.status_code == 200, answer.text
    now: Json = answer.json()
    return now


async def bought(rig: Rig, headers: dict[str, str], plan: UUID | None = None) -> Json:
    """An order that is paid."""
    order = await ordered(rig, headers, plan)
    rig.payment_provider.pay(session_of(order))
    paid = await checked(rig, headers, order)
    assert paid["state"] == "paid"
    return paid


async def sold_at_desk(
    rig: Rig, staff: dict[str, str], member: UUID, method: str = "cash", **wanted: object
) -> httpx.Response:
    body = {"member_id": str(member), "plan_id": str(rig.world.plan), "method": method} | wanted
    return await rig.client.post("/desk-payments", json=body, headers=staff)


async def made_plan(rig: Rig, admin: dict[str, str], **wanted: object) -> Json:
    body = {"name": "90 days", "days": 90, "price": {"amount": 2500, "currency": "EUR"}} | wanted
    answer = await rig.client.post("/plans", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    plan: Json = answer.json()
    return plan
