"""The payments' consumer: reads events of the payment provider and updates the orders that they are about."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from consumers.loop import ConsumerLoop, LoopLimits
from consumers.pending_messages import decoding_values
from domain.clock import Clock, system_clock
from domain.payments.event_repository import EventRepository, EventState
from domain.payments.ports import PaymentProvider
from domain.payments.provider_events import EventHandling, PaymentEvent
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store
from integrations.kafka.clients import open_group_consumer
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.messages import decode_payment_event
from integrations.replica import OpenResources
from integrations.settings import Settings, StripeSettings
from integrations.stripe.provider import StripePayments

PaymentLoop = ConsumerLoop[PaymentEvent, bool]

_PARALLEL_ORDERS = 8
_BATCH_MAX = 32


class PaymentHandler:
    """Updates the orders of a batch of events: each order once, several orders in parallel.

    Unlike at the door, each order is a unit of work of its own: its call to the provider must not hold the locks of
    another order.

    Args:
        store: the database, with one connection per parallel order.
        provider: the payment provider.
        clock: the current time.
        parallel_orders: how many orders are updated at the same time.
    """

    def __init__(
        self, store: Store, provider: PaymentProvider, clock: Clock, parallel_orders: int = _PARALLEL_ORDERS
    ) -> None:
        self._store = store
        self._clock = clock
        self._handling = EventHandling(store, provider, OrderSettlement(store, provider, clock))
        self._pool = ThreadPoolExecutor(parallel_orders, thread_name_prefix="orders")

    def handle(self, messages: Sequence[PaymentEvent]) -> Sequence[bool]:
        """Update the orders that events are about. An event that was handled before changes nothing.

        Raises:
            PaymentsUnavailableError: the provider is unavailable for one of the orders; the others are done.
        """
        order_lookups = {event.event_id: self._pool.submit(self._handling.order_of, event) for event in messages}
        # A failed lookup of one order must not block the other orders.
        failures = [error for future in order_lookups.values() if (error := future.exception()) is not None]
        order_ids = {event_id: future.result() for event_id, future in order_lookups.items() if not future.exception()}
        # Events without an order of ours have the order id None, and need no call to the provider.
        distinct: dict[UUID | None, None] = dict.fromkeys(order_ids.values())
        updates = {order_id: self._pool.submit(self._handling.settle, order_id) for order_id in distinct}
        outcomes = {order_id: future.exception() or future.result() for order_id, future in updates.items()}
        failures += [outcome for outcome in outcomes.values() if isinstance(outcome, BaseException)]
        done = {
            event_id: outcome
            for event_id, order_id in order_ids.items()
            if isinstance(outcome := outcomes[order_id], tuple)
        }
        with self._store.writing() as connection:
            for event_id, (state, detail) in done.items():
                EventRepository(connection).mark(event_id, state, detail, self._clock())
        for failure in failures:
            raise failure
        return [True] * len(messages)

    def on_dead_letter(self, message: PaymentEvent) -> bool:
        """Mark an event as failed. The reconciliation tries it again and reports it."""
        with self._store.writing() as connection:
            EventRepository(connection).mark(message.event_id, EventState.FAILED, "moved to the dead letters", None)
        return False

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class PaymentConsumerDependencies:
    """What the payments' consumer opens. Close it after its loop has ended.

    Args:
        settings: the database, Kafka and the payment provider.
        clock: the current time.
    """

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        database = settings.database
        self.store = Store(
            database.url.get_secret_value(),
            pool_size=_PARALLEL_ORDERS + 1,
            statement_timeout_s=database.statement_timeout_s,
        )
        self.handler = PaymentHandler(self.store, StripePayments(without_retries(settings.stripe)), clock)
        self.dead_letters = DeadLetterWriter(settings.kafka)
        self.consumer = open_group_consumer(settings.kafka, settings.kafka.payments_group)
        self.topic = settings.kafka.payments_topic

    def build_loop(self) -> PaymentLoop:
        """The loop, which closes the consumer itself. It sends no replies: nobody waits for an event."""
        return ConsumerLoop(
            self.consumer,
            self.topic,
            decoding_values(decode_payment_event),
            self.handler,
            self.dead_letters,
            limits=LoopLimits(batch_max=_BATCH_MAX),
        )

    def close(self) -> None:
        """Close the connections and stop the threads."""
        resources = OpenResources()
        resources.add("store", self.store.close)
        resources.add("dead_letters", self.dead_letters.close)
        resources.add("handler", self.handler.close)
        resources.close()


def without_retries(settings: StripeSettings) -> StripeSettings:
    """Settings for a caller that retries by itself: a thread in the retries of the SDK looks like one that hangs."""
    return settings.model_copy(update={"retries": 0})
