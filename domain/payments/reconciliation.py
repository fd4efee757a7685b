"""What the provider knows against what the ledger knows: missed events are made up for, the rest is reported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import Connection, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from domain.clock import Clock
from domain.leases import LeaseLostError
from domain.paging import parts
from domain.payments.model import AWAITED, Order, PaymentRefusal, Refund
from domain.payments.ports import Checkout, Happened, PaymentProvider, PaymentsAwayError
from domain.payments.provider_events import (
    FAILED,
    HANDLED,
    RECEIVED,
    EventHandling,
    concerns_orders,
    mark_handled,
    store_happened,
    told_of,
)
from domain.payments.refunds import Refunds
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.payments.tables import stripe_events
from domain.unit_of_work import Store

_ONE_BY_ONE = 20  # so many open orders are asked for each; more are found in the list of all pages
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
        orders_checked: whose end was not known.
        mended: orders that are paid, failed or over now and were open before.
        refunds_asked: refunds that had been written down and were asked for now.
        unknown: payments at the provider that are for no order of ours.
        problems: orders that somebody has to look at, and why.
        failures: events, orders and refunds that could not be dealt with; the log says why. They are tried again.
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
        store: the database.
        provider: of payments.
        clock: the present.
        said: is told of progress.
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
        """Make up for what was missed. What fails by itself is counted, and holds up nothing else.

        Args:
            unchecked_for: leave alone open orders that were asked about within that time.
            since: look at events from then on; None: from the latest that was received.

        Raises:
            PaymentsAwayError: the provider cannot be asked; what was mended until then stays so.
            sqlalchemy.exc.SQLAlchemyError: nor can the database.
            LeaseLostError: the store is a fenced one, and somebody else reconciles.
        """
        done = Reconciled()
        self._attempt(done, "events", partial(self._make_up_for_events, done, since, unchecked_for))
        self._attempt(done, "open orders", partial(self._check_open_orders, done, unchecked_for))
        self._attempt(done, "refunds", partial(self._ask_for_refunds, done, unchecked_for))
        return done

    def _attempt(self, done: Reconciled, what: str, work: Callable[[], None], order_id: UUID | None = None) -> None:
        """Do a part of the whole, and go on with the next one if it alone fails."""
        try:
            work()
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - one that is beyond understanding holds up no other
            if isinstance(error, PaymentsAwayError):
                self._provider.happened_since(self._clock())  # which fails too where it is not this one alone
            elif isinstance(error, SQLAlchemyError):
                with self._store.reading() as connection:
                    connection.execute(select(1))
            done.failures += 1
            if order_id is not None:
                done.problems[order_id] = f"could not be brought up to date ({type(error).__name__})"
            _log.exception("not_reconciled", what=what, order_id=order_id and str(order_id))

    def _make_up_for_events(self, done: Reconciled, since: datetime | None, unchecked_for: timedelta) -> None:
        now = self._clock()
        with self._store.reading() as connection:
            since = since or _from_where(connection)
        since = max(since - _OVERLAP if since else now - _KEPT_BY_PROVIDER, now - _KEPT_BY_PROVIDER)
        happened = [event for event in self._provider.happened_since(since) if concerns_orders(event)]
        missed = self._unhandled(happened, now - unchecked_for)
        done.events_missed = len(missed)
        if not missed:
            return
        self._said(f"{len(missed)} events were not handled")
        for part in parts(missed, _AT_ONCE):
            self._store.written(partial(store_happened, events=part, now=now, topic=None))
        by_order: dict[UUID | None, list[Happened]] = {}
        for event in missed:
            self._attempt(done, event.id, partial(self._sort, event, by_order))
        for order_id, events in by_order.items():
            self._attempt(
                done,
                "missed events",
                partial(self._settle_missed, done, order_id, events),
                order_id,
            )

    def _sort(self, event: Happened, by_order: dict[UUID | None, list[Happened]]) -> None:
        by_order.setdefault(self._handling.order_of(told_of(event)), []).append(event)

    def _settle_missed(self, done: Reconciled, order_id: UUID | None, events: list[Happened]) -> None:
        state, detail = self._handling.settle(order_id)
        if order_id is None:
            completed = [event for event in events if event.type == "checkout.session.completed"]
            done.unknown += [event.object_id or event.id for event in completed]
        elif state == HANDLED:
            done.mended.append(order_id)
        for event in events:
            self._keep(event.id, state, detail)

    def _keep(self, event_id: str, state: str, detail: str) -> None:
        self._store.written(lambda connection: mark_handled(connection, event_id, state, detail, self._clock()))

    def _unhandled(self, happened: list[Happened], before: datetime) -> list[Happened]:
        """Those that were not received, or some time ago and not handled."""
        if not happened:
            return []
        known: set[str] = set()
        with self._store.reading() as connection:
            for part in parts(happened, _AT_ONCE):
                ids = [event.id for event in part]
                known |= set(
                    connection.execute(
                        select(stripe_events.c.id).where(
                            stripe_events.c.id.in_(ids),
                            or_(stripe_events.c.handled_at.is_not(None), stripe_events.c.received_at > before),
                        )
                    ).scalars()
                )
        return [event for event in happened if event.id not in known]

    def _check_open_orders(self, done: Reconciled, unchecked_for: timedelta) -> None:
        with self._store.reading() as connection:
            waiting, oldest = OrderRepository(connection).open_unchecked_since(self._clock() - unchecked_for)
        pages: dict[str, Checkout] = {}
        if oldest is not None and len(waiting) > _ONE_BY_ONE:
            self._said("asking the provider for its pages, a hundred in one call")
            since = oldest - timedelta(minutes=1)
            pages = {page.session_id: page for page in self._provider.checkouts_since(since)}
        for number, part in enumerate(parts(waiting, _AT_ONCE)):
            self._said(f"{len(waiting) - number * _AT_ONCE} orders are open")
            self._check(done, part, pages)

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


def _from_where(connection: Connection) -> datetime | None:
    """The latest event, or the oldest that waits to be handled."""
    waiting: datetime | None = connection.execute(
        select(func.min(stripe_events.c.created_at)).where(stripe_events.c.state.in_([RECEIVED, FAILED]))
    ).scalar_one_or_none()
    if waiting is not None:
        return waiting
    latest: datetime | None = connection.execute(
        select(stripe_events.c.created_at).order_by(stripe_events.c.created_at.desc()).limit(1)
    ).scalar_one_or_none()
    return latest
