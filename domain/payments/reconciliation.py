"""Compares the payment provider with the ledger: catches up on missed events, and reports what does not match."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.clock import Clock
from domain.leases import LeaseLostError
from domain.paging import chunks
from domain.payments.event_repository import EventRepository, EventState
from domain.payments.model import AWAITED, Order, PaymentRefusal, Refund
from domain.payments.ports import Checkout, PaymentProvider, PaymentsUnavailableError, ProviderEvent
from domain.payments.provider_events import (
    EventHandling,
    concerns_orders,
    published_event,
    store_provider_events,
)
from domain.payments.refunds import Refunds
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store

_ONE_BY_ONE = 20  # up to so many open orders are read one by one; more are found in the list of all pages
_OVERLAP = timedelta(hours=1)  # events arrive a little out of order
_KEPT_BY_PROVIDER = timedelta(days=29)
_AT_ONCE = 1000
_log = structlog.get_logger(__name__)

Said = Callable[[str], None]


@dataclass(slots=True)
class Reconciled:
    """What a reconciliation did and found.

    Args:
        events_missed: events that had not been received.
        orders_checked: open orders that were compared.
        mended: orders that were open and are now paid, failed or expired.
        refunds_asked: stored refunds that were sent to the provider now.
        unknown: payments at the provider that belong to no order of this system.
        problems: orders that need attention, with the reason.
        failures: events, orders and refunds that failed and are tried again; the log has the reasons.
    """

    events_missed: int = 0
    orders_checked: int = 0
    mended: list[UUID] = field(default_factory=list)
    refunds_asked: int = 0
    unknown: list[str] = field(default_factory=list)
    problems: dict[UUID, str] = field(default_factory=dict)
    failures: int = 0


class Reconciliation:
    """Compares the provider with the ledger.

    Args:
        said: called with a line about the progress.
    """

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock, said: Said = lambda _line: None) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._said = said
        self._settlement = OrderSettlement(store, provider, clock)
        self._handling = EventHandling(store, provider, self._settlement)
        self._refunds = Refunds(store, provider, clock)

    def run(self, unchecked_for: timedelta = timedelta(0), since: datetime | None = None) -> Reconciled:
        """Catch up on what was missed. A single failure is counted and does not stop the rest.

        Args:
            unchecked_for: skip open orders that were compared within this time.
            since: read events from this time on; None: from the latest that was received.

        Raises:
            PaymentsUnavailableError: the provider does not answer; what was done until then stays.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
            LeaseLostError: the store is a fenced one, and another process holds the lease.
        """
        done = Reconciled()
        self._attempt(done, "events", partial(self._make_up_for_events, done, since, unchecked_for))
        self._attempt(done, "open orders", partial(self._check_open_orders, done, unchecked_for))
        self._attempt(done, "refunds", partial(self._ask_for_refunds, done, unchecked_for))
        return done

    def _attempt(self, done: Reconciled, what: str, work: Callable[[], None], order_id: UUID | None = None) -> None:
        """Do one part; if only this part fails, count the failure and return."""
        try:
            work()
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - an unexpected failure must not stop the other parts
            if isinstance(error, PaymentsUnavailableError):
                self._provider.happened_since(self._clock())  # raises too, unless only this part fails
            elif isinstance(error, SQLAlchemyError):
                self._store.ping()
            done.failures += 1
            if order_id is not None:
                done.problems[order_id] = f"could not be brought up to date ({type(error).__name__})"
            _log.exception("not_reconciled", what=what, order_id=order_id and str(order_id))

    def _make_up_for_events(self, done: Reconciled, since: datetime | None, unchecked_for: timedelta) -> None:
        now = self._clock()
        with self._store.reading() as connection:
            since = since or EventRepository(connection).resume_from()
        since = max(since - _OVERLAP if since else now - _KEPT_BY_PROVIDER, now - _KEPT_BY_PROVIDER)
        happened = [event for event in self._provider.happened_since(since) if concerns_orders(event)]
        missed = self._unhandled(happened, now - unchecked_for)
        done.events_missed = len(missed)
        if not missed:
            return
        self._said(f"{len(missed)} events were not handled")
        for chunk in chunks(missed, _AT_ONCE):
            self._store.written(partial(store_provider_events, events=chunk, now=now, topic=None))
        by_order: dict[UUID | None, list[ProviderEvent]] = {}
        for event in missed:
            self._attempt(done, event.id, partial(self._sort, event, by_order))
        for order_id, events in by_order.items():
            self._attempt(
                done,
                "missed events",
                partial(self._settle_missed, done, order_id, events),
                order_id,
            )

    def _sort(self, event: ProviderEvent, by_order: dict[UUID | None, list[ProviderEvent]]) -> None:
        by_order.setdefault(self._handling.order_of(published_event(event)), []).append(event)

    def _settle_missed(self, done: Reconciled, order_id: UUID | None, events: list[ProviderEvent]) -> None:
        state, detail = self._handling.settle(order_id)
        if order_id is None:
            completed = [event for event in events if event.type == "checkout.session.completed"]
            done.unknown += [event.object_id or event.id for event in completed]
        elif state is EventState.HANDLED:
            done.mended.append(order_id)
        for event in events:
            self._keep(event.id, state, detail)

    def _keep(self, event_id: str, state: EventState, detail: str) -> None:
        self._store.written(lambda connection: EventRepository(connection).mark(event_id, state, detail, self._clock()))

    def _unhandled(self, happened: list[ProviderEvent], before: datetime) -> list[ProviderEvent]:
        """The events that were not received, or received some time ago and not handled."""
        if not happened:
            return []
        known: set[str] = set()
        with self._store.reading() as connection:
            for chunk in chunks(happened, _AT_ONCE):
                known |= EventRepository(connection).handled_or_recent([event.id for event in chunk], before)
        return [event for event in happened if event.id not in known]

    def _check_open_orders(self, done: Reconciled, unchecked_for: timedelta) -> None:
        with self._store.reading() as connection:
            waiting, oldest = OrderRepository(connection).open_unchecked_since(self._clock() - unchecked_for)
        pages: dict[str, Checkout] = {}
        if oldest is not None and len(waiting) > _ONE_BY_ONE:
            self._said("asking the provider for its pages, a hundred in one call")
            since = oldest - timedelta(minutes=1)
            pages = {page.session_id: page for page in self._provider.checkouts_since(since)}
        for number, chunk in enumerate(chunks(waiting, _AT_ONCE)):
            self._said(f"{len(waiting) - number * _AT_ONCE} orders are open")
            self._check(done, chunk, pages)

    def _check(self, done: Reconciled, order_ids: Sequence[UUID], pages: Mapping[str, Checkout]) -> None:
        with self._store.reading() as connection:
            waiting = OrderRepository(connection).orders_by_id(order_ids)
        for order in waiting:
            page = pages.get(order.session_id or "")
            if page is None or _says_something(order, page):
                self._attempt(done, "order", partial(self._settle_open, done, order), order.id)
        done.orders_checked += len(waiting)
        now = self._clock()
        self._store.written(lambda connection: OrderRepository(connection).checked(order_ids, now))

    def _settle_open(self, done: Reconciled, before: Order) -> None:
        after = self._settlement.settle(before.id)
        if isinstance(after, PaymentRefusal):
            done.problems[before.id] = after.detail
            return
        if after.problem:
            done.problems[after.id] = after.problem
        elif after.state not in AWAITED:
            done.mended.append(after.id)

    def _ask_for_refunds(self, done: Reconciled, unchecked_for: timedelta) -> None:
        with self._store.reading() as connection:
            asked = OrderRepository(connection).asked_refunds(self._clock() - unchecked_for, _AT_ONCE)
        for refund in asked:
            self._attempt(done, "refund", partial(self._ask_for, done, refund), refund.order_id)

    def _ask_for(self, done: Reconciled, refund: Refund) -> None:
        answer = self._refunds.carry_out(refund)
        done.refunds_asked += 1
        if isinstance(answer, PaymentRefusal):
            done.problems[refund.order_id] = answer.detail


def _says_something(order: Order, page: Checkout) -> bool:
    if page.is_paid or page.is_over or page.has_failed or page.on_its_way:
        return True
    return page.price != order.price or page.order_id != order.id
