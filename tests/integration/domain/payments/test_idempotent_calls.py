"""A call that is repeated under its idempotency key is done once, whoever dies or waits when."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import pytest
from fastapi import Response
from sqlalchemy import Connection, func, select

from cluster.local.mariadb import MariaDbServer
from deployments.http.idempotency import IdempotentExecution
from deployments.http.problems import ApiProblem, retryable
from deployments.idempotent_calls import IdempotentAnswer, IdempotentCall, write_once
from deployments.payments.desk_payments import DeskPaymentService
from deployments.payments.memberships import MembershipService
from deployments.payments.orders import OrderService, OrderView
from deployments.payments.services import PaymentServices, payment_services
from domain.clock import Clock
from domain.idempotency import (
    HELD_FOR,
    IdempotentRequest,
    KeyState,
    idempotency_keys,
)
from domain.ids import new_id
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Method
from domain.memberships.ledger_check import check_ledger
from domain.memberships.tables import ledger_entries
from domain.payments.model import Order, PaymentRefusal
from domain.payments.ports import Buyer, PaymentsUnavailableError
from domain.payments.tables import orders, refunds
from domain.unit_of_work import Store
from tests.payment_provider import FakePaymentProvider
from tests.servers import migrated_database
from tests.service_calls import call_once
from tests.world import World

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

KEPT_FOR = timedelta(hours=24)
REQUEST = IdempotentRequest("k" * 64, "r" * 64, "the client's own", "somebody POST /something")


class KilledError(BaseException):
    """The process is gone."""


class MortalStore(Store):
    """A store whose process is killed right after it has committed so many times, or held before it commits."""

    def __init__(self, url: str, *, dies_after: int = 0) -> None:
        super().__init__(url)
        self.commits_left = dies_after
        self.is_dead = False
        self.reached, self.may_commit = Event(), Event()
        self.may_commit.set()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        if self.is_dead:
            raise KilledError
        with super().writing() as connection:
            yield connection
            self.reached.set()
            assert self.may_commit.wait(30)
        self.commits_left -= 1
        if self.commits_left == 0:
            self.is_dead = True
            raise KilledError


@pytest.fixture
def provider(world: World) -> FakePaymentProvider:
    return FakePaymentProvider(world.clock)


def services_on(store: Store, world: World, provider: FakePaymentProvider | None = None) -> PaymentServices:
    return payment_services(store, world.clock, provider=provider)


def clock_of(services: PaymentServices) -> Clock:
    return services.orders._clock  # noqa: SLF001 - the world's


def sale(services: PaymentServices, member: UUID, plan: UUID, request: IdempotentRequest = REQUEST) -> Any:  # noqa: ANN401 - an answer or a state
    return call_once(
        services,
        clock_of(services),
        request,
        DeskPaymentService.sell,
        member,
        plan,
        Method.CASH,
        UUID(int=7),
        Buyer("Firm", "", ""),
    )


def checkout(services: PaymentServices, member: UUID, plan: UUID) -> Any:  # noqa: ANN401 - as above
    return call_once(
        services,
        clock_of(services),
        REQUEST,
        OrderService.open_checkout,
        member,
        plan,
        "http://gym.test/ok",
        "http://gym.test/no",
    )


def refund(services: PaymentServices, order: UUID) -> Any:  # noqa: ANN401 - as above
    return call_once(services, clock_of(services), REQUEST, OrderService.refund, order, 400, "ill", UUID(int=7))


def count(world: World, table: Any) -> int:  # noqa: ANN401 - a table
    with world.store.reading() as connection:
        number: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
        assert list(check_ledger(connection)) == []
    return number


@pytest.fixture
def on_mariadb(mariadb: MariaDbServer) -> Iterator[tuple[str, World]]:
    url = migrated_database(mariadb)
    store = Store(url)
    yield url, World(store)
    store.close()


def test_a_commit_that_takes_longer_than_the_gateway_waits_is_answered_to_the_repeated_call(
    on_mariadb: tuple[str, World],
) -> None:
    url, world = on_mariadb
    member = world.newcomer()
    slow = MortalStore(url)
    slow.may_commit.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(sale, services_on(slow, world), member, world.plan)
        assert slow.reached.wait(30)
        assert sale(services_on(world.store, world), member, world.plan) is KeyState.RUNNING, (
            "nobody waits for its lock"
        )
        slow.may_commit.set()
        done = first.result(timeout=30)
    again = sale(services_on(world.store, world), member, world.plan)
    assert (done.replayed, again.replayed) == (False, True)
    assert again.value == done.value
    assert isinstance(again.value, OrderView)
    assert count(world, orders) == 1
    slow.close()


class ServicesInThread:
    """Services as `deployments.http.handles` reaches it in Serve; that module needs Ray."""

    def __init__(self, services: PaymentServices, threads: ThreadPoolExecutor, within_s: float) -> None:
        self._services = services
        self._threads = threads
        self._within_s = within_s

    async def __call__(self, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: ARG002 - as the port has it
        raise AssertionError("every call here has a key")

    async def once(
        self,
        request: IdempotentRequest,
        method: Callable[Concatenate[Any, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> IdempotentAnswer[R] | KeyState:
        assert not kwargs
        work = partial(call_once, self._services, clock_of(self._services), request, method, *args)
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.wrap_future(self._threads.submit(work))
        except TimeoutError as error:
            raise retryable("unavailable", "Payments did not answer in time.") from error


def test_a_gateway_that_gave_up_waiting_gets_the_one_sale_when_it_repeats_the_call(
    on_mariadb: tuple[str, World],
) -> None:
    asyncio.run(_give_up_and_repeat(*on_mariadb))


async def _give_up_and_repeat(url: str, world: World) -> None:
    member = world.newcomer()
    slow = MortalStore(url)
    slow.may_commit.clear()

    async def sell(payments: ServicesInThread) -> tuple[OrderView, Response]:
        response = Response()
        once = IdempotentExecution(REQUEST, response)
        who = (member, world.plan, Method.CASH, UUID(int=7), Buyer())
        sold = await once(payments, DeskPaymentService.sell, *who)
        assert isinstance(sold, OrderView)
        return sold, response

    with ThreadPoolExecutor(4) as threads:
        impatient = ServicesInThread(services_on(slow, world), threads, within_s=0.2)
        patient = ServicesInThread(services_on(world.store, world), threads, within_s=30)
        with pytest.raises(ApiProblem, match="unavailable"):
            await sell(impatient)
        assert await asyncio.to_thread(slow.reached.wait, 30)
        with pytest.raises(ApiProblem, match="idempotency_key_in_use"):
            await sell(patient)
        slow.may_commit.set()
    with ThreadPoolExecutor(4) as threads:
        patient = ServicesInThread(services_on(world.store, world), threads, within_s=30)
        again, response = await sell(patient)
    assert response.headers["idempotency-replayed"] == "true"
    assert count(world, orders) == 1
    assert again == services_on(world.store, world).orders.order(again.order.id)
    slow.close()


def test_of_many_repeated_calls_at_once_one_sells(on_mariadb: tuple[str, World]) -> None:
    _, world = on_mariadb
    member, services = world.newcomer(), services_on(world.store, world)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: sale(services, member, world.plan), range(8)))
    done = [answer for answer in answers if isinstance(answer, IdempotentAnswer)]
    assert [answer for answer in answers if answer not in done] == [KeyState.RUNNING] * (8 - len(done))
    assert sorted(answer.replayed for answer in done) == [False] + [True] * (len(done) - 1)
    assert len({answer.value.order.id for answer in done}) == 1
    assert count(world, orders) == 1
    assert sale(services, member, world.plan).value == done[0].value


def test_payments_killed_between_commit_and_reply_has_sold_once(store_url: str, world: World) -> None:
    member = world.newcomer()
    mortal = MortalStore(store_url, dies_after=1)
    with pytest.raises(KilledError):
        sale(services_on(mortal, world), member, world.plan)
    mortal.close()
    again = sale(services_on(world.store, world), member, world.plan)
    assert again.replayed
    assert count(world, orders) == 1
    assert again.value == services_on(world.store, world).orders.order(again.value.order.id)


class BreakingService:
    """Breaks off in the middle of its effect, as long as the test says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.breaks_off = True

    def act(self, *, call: IdempotentCall | None = None) -> str:
        def effect(_connection: Connection) -> str:
            if self.breaks_off:
                raise RuntimeError("no memory left, says the test")
            return "done"

        return write_once(self._store, call, str, effect)


@dataclass(frozen=True)
class BreakingServices:
    breaking: BreakingService


def test_an_effect_that_breaks_off_leaves_no_key(world: World) -> None:
    services = BreakingServices(BreakingService(world.store))
    with pytest.raises(RuntimeError):
        call_once(services, world.clock, REQUEST, BreakingService.act)
    assert count(world, idempotency_keys) == 0
    services.breaking.breaks_off = False
    assert call_once(services, world.clock, REQUEST, BreakingService.act) == IdempotentAnswer("done", replayed=False)
    assert call_once(services, world.clock, REQUEST, BreakingService.act) == IdempotentAnswer("done", replayed=True)


def test_a_refused_call_leaves_no_key(world: World) -> None:
    services, member = services_on(world.store, world), world.newcomer()
    assert not isinstance(sale(services, member, new_id()).value, OrderView)
    assert count(world, idempotency_keys) == 0
    assert isinstance(sale(services, member, world.plan).value, OrderView)


def test_a_key_is_of_one_request_and_its_answer_opens_with_it_alone(world: World) -> None:
    services, member = services_on(world.store, world), world.newcomer()
    first = sale(services, member, world.plan)
    assert sale(services, member, world.plan, replace(REQUEST, request_hash="o" * 64)) is KeyState.OTHER_REQUEST
    stranger = replace(REQUEST, secret="another")  # noqa: S106 - no password
    assert sale(services, member, world.plan, stranger) is KeyState.ANSWERED
    with world.store.reading() as connection:
        kept = str(connection.execute(select(idempotency_keys)).one())
    assert REQUEST.secret not in kept
    assert str(first.value.order.id) not in kept
    assert count(world, orders) == 1


@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_a_checkout_killed_anywhere_is_continued_as_the_same_order(
    store_url: str, world: World, provider: FakePaymentProvider, dies_after: int
) -> None:
    member = world.newcomer()
    mortal = MortalStore(store_url, dies_after=dies_after)
    with pytest.raises(KilledError):
        checkout(services_on(mortal, world, provider), member, world.plan)
    mortal.close()
    services = services_on(world.store, world, provider)
    if dies_after < 3:
        assert checkout(services, member, world.plan) is KeyState.RUNNING
        world.clock.forward(HELD_FOR.total_seconds())
    again = checkout(services, member, world.plan)
    assert isinstance(again.value, Order)
    assert again.value.checkout_url
    assert (count(world, orders), len(provider.pages)) == (1, 1)
    assert checkout(services, member, world.plan) == IdempotentAnswer(again.value, replayed=True)


def test_a_checkout_whose_provider_was_unavailable_continues_at_once(
    world: World, provider: FakePaymentProvider
) -> None:
    services, member = services_on(world.store, world, provider), world.newcomer()
    for fault in ("away", "loses_answer"):
        setattr(provider, fault, lambda _call: True)
        with pytest.raises(PaymentsUnavailableError):
            checkout(services, member, world.plan)
        setattr(provider, fault, lambda _call: False)
    assert isinstance(checkout(services, member, world.plan).value, Order)
    assert (count(world, orders), len(provider.pages)) == (1, 1)


def test_a_checkout_that_the_provider_refuses_frees_its_key(world: World, provider: FakePaymentProvider) -> None:
    services, member = services_on(world.store, world, provider), world.newcomer()
    provider.refuses = True
    assert isinstance(checkout(services, member, world.plan).value, PaymentRefusal)
    provider.refuses = False
    assert isinstance(checkout(services, member, world.plan).value, Order)
    assert count(world, orders) == 2


@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_a_refund_killed_anywhere_gives_back_once(
    store_url: str, world: World, provider: FakePaymentProvider, dies_after: int
) -> None:
    services = services_on(world.store, world, provider)
    bought = services.orders.open_checkout(world.newcomer(), world.plan, "http://gym.test/ok", "http://gym.test/no")
    assert isinstance(bought, Order)
    provider.pay(str(bought.session_id))
    services.orders.settle(bought.id)
    mortal = MortalStore(store_url, dies_after=dies_after)
    with pytest.raises(KilledError):
        refund(services_on(mortal, world, provider), bought.id)
    mortal.close()
    world.clock.forward(HELD_FOR.total_seconds())
    again = refund(services, bought.id)
    assert isinstance(again.value, OrderView)
    assert again.value.order.refunded == 400
    assert count(world, refunds) == 1
    assert sum(len(made) for made in provider.refunds.values()) == 1
    assert refund(services, bought.id) == IdempotentAnswer(again.value, replayed=True)


def test_days_given_under_one_key_are_given_once(store_url: str, world: World) -> None:
    services, member = services_on(world.store, world), world.newcomer()
    held = sale(services, member, world.plan).value.order.membership_id
    gift = (member, held, 5, BookingOrigin(UUID(int=7), "a gift"))
    request = replace(REQUEST, key="d" * 64)
    mortal = MortalStore(store_url, dies_after=1)
    with pytest.raises(KilledError):
        call_once(services_on(mortal, world), world.clock, request, MembershipService.adjust, *gift)
    mortal.close()
    again = call_once(services, clock_of(services), request, MembershipService.adjust, *gift)
    assert isinstance(again, IdempotentAnswer)
    assert again.replayed
    with world.store.reading() as connection:
        days = connection.execute(select(func.sum(ledger_entries.c.days)).where(ledger_entries.c.kind == "adjustment"))
        assert days.scalar_one() == 5
    assert again.value == services.memberships.membership(member)
