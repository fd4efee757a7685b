"""The payments' part of the loop: the provider's events in, orders up to date."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from consumers.loop import ConsumerLoop, LoopLimits
from domain.clock import Clock, system_clock
from domain.payments.event_repository import EventRepository, EventState
from domain.payments.ports import PaymentProvider
from domain.payments.provider_events import EventHandling, PaymentEvent
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store
from integrations.kafka.clients import open_group_consumer
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.messages import decode_payment_event
from integrations.replica import Closing
from integrations.settings import Settings, StripeSettings
from integrations.stripe.provider import StripePayments

PaymentLoop = ConsumerLoop[PaymentEvent, bool]

_AT_ONCE = 8
_BATCH_MAX = 32


class PaymentHandler:
    """Brings the orders of a batch of events up to date: each order once, several at a time.

    Unlike at the door an order is a unit of work by itself: what it asks of the provider must not hold another's locks.

    Args:
        store: the database; with a connection for each of `at_once`.
        provider: of payments.
        clock: the present.
        at_once: orders in work together.
    """

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock, at_once: int = _AT_ONCE) -> None:
        self._store = store
        self._clock = clock
        self._handling = EventHandling(store, provider, OrderSettlement(store, provider, clock))
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="settling")

    def handle(self, messages: Sequence[PaymentEvent]) -> Sequence[bool]:
        """Settle the orders that events are about; whatever was done before changes nothing.

        Raises:
            PaymentsUnavailableError: the provider cannot be asked about one of them; the others are done.
        """
        sought = {event.event_id: self._pool.submit(self._handling.order_of, event) for event in messages}
        # One whose order the provider would have to name holds up no other.
        failures = [error for future in sought.values() if (error := future.exception()) is not None]
        orders = {event_id: future.result() for event_id, future in sought.items() if future.exception() is None}
        # Events of no order of ours are each by themselves, and need no asking.
        distinct: dict[UUID | None, None] = dict.fromkeys(orders.values())
        asked = {order_id: self._pool.submit(self._handling.settle, order_id) for order_id in distinct}
        outcomes = {order_id: future.exception() or future.result() for order_id, future in asked.items()}
        failures += [outcome for outcome in outcomes.values() if isinstance(outcome, BaseException)]
        done = {
            event_id: outcome
            for event_id, order_id in orders.items()
            if isinstance(outcome := outcomes[order_id], tuple)
        }
        with self._store.writing() as connection:
            for event_id, (state, detail) in done.items():
                EventRepository(connection).mark(event_id, state, detail, self._clock())
        for failure in failures:
            raise failure
        return [True] * len(messages)

    def dead_lettered(self, message: PaymentEvent) -> bool:
        """Keep that an event could not be handled; the reconciliation tries it again, and reports it."""
        with self._store.writing() as connection:
            EventRepository(connection).mark(message.event_id, EventState.FAILED, "it lies with the dead letters", None)
        return False

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class NoReplies:
    """Nobody waits for what becomes of an event."""

    def reply(self, answered: Sequence[tuple[PaymentEvent, bool]]) -> None:
        """Nothing."""


class PaymentParts:
    """The payments' consumer with everything that it opens. Close it after its loop has ended.

    Args:
        settings: where the database, Kafka and the provider are.
        clock: the present.
    """

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        database = settings.database
        self.store = Store(
            database.url.get_secret_value(), pool_size=_AT_ONCE + 1, statement_timeout_s=database.statement_timeout_s
        )
        self.provider = StripePayments(patient(settings.stripe))
        self.handler = PaymentHandler(self.store, self.provider, clock)
        self.dead_letters = DeadLetterWriter(settings.kafka)
        self.consumer = open_group_consumer(settings.kafka, settings.kafka.payments_group)
        self.topic = settings.kafka.payments_topic

    def loop(self) -> PaymentLoop:
        """The loop of these parts; it closes the consumer itself."""
        return ConsumerLoop(
            self.consumer,
            self.topic,
            decode_payment_event,
            self.handler,
            NoReplies(),
            self.dead_letters,
            LoopLimits(batch_max=_BATCH_MAX),
        )

    def close(self) -> None:
        """Give back what was opened."""
        closing = Closing()
        closing.add("store", self.store.close)
        closing.add("dead_letters", self.dead_letters.close)
        closing.add("handler", self.handler.close)
        closing.close()


def patient(settings: StripeSettings) -> StripeSettings:
    """For whoever asks again by themselves: a call that the SDK repeats would look like a thread that hangs."""
    return settings.model_copy(update={"retries": 0})
