"""The service of payments at the desk: cash and card terminal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from deployments.idempotent_calls import IdempotentCall, write_once
from deployments.payments.orders import OrderView, order_view
from domain.clock import Clock
from domain.gyms.model import UNKNOWN_GYM, GymRefusal
from domain.gyms.repository import GymRepository
from domain.memberships.ledger import Method
from domain.memberships.refusals import MembershipRefusal
from domain.payments import desk_payments
from domain.payments.desk_payments import Takings
from domain.payments.model import Order, PaymentRefusal
from domain.payments.ports import Buyer
from domain.unit_of_work import Store


class DeskPaymentService:
    """Payments that staff take at the desk."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def sell(
        self,
        member_id: UUID,
        plan_id: UUID,
        method: Method,
        by_id: UUID,
        buyer: Buyer | None,
        *,
        call: IdempotentCall | None = None,
    ) -> OrderView | PaymentRefusal | MembershipRefusal:
        """Sell a plan to a member who has paid at the desk."""

        def sell(connection: Connection) -> OrderView | PaymentRefusal | MembershipRefusal:
            sold = desk_payments.sell_at_desk(connection, member_id, plan_id, method, by_id, self._clock(), buyer=buyer)
            return order_view(connection, sold) if isinstance(sold, Order) else sold

        return write_once(self._store, call, OrderView, sell)

    def reverse(
        self, order_id: UUID, reason: str, by_id: UUID, *, call: IdempotentCall | None = None
    ) -> OrderView | PaymentRefusal:
        """Reverse a payment at the desk on the day it was made."""

        def reverse(connection: Connection) -> OrderView | PaymentRefusal:
            done = desk_payments.reverse_at_desk(connection, order_id, reason, by_id, self._clock())
            return order_view(connection, done) if isinstance(done, Order) else done

        return write_once(self._store, call, OrderView, reverse)

    def end_of_day(self, moment: datetime | None, gym_id: UUID | None) -> list[Takings] | GymRefusal:
        """What was taken at desks on one day.

        Args:
            moment: any moment of that day; None: now.
            gym_id: in whose time zone the day counts; None: UTC.
        """
        with self._store.reading() as connection:
            time_zone = "UTC" if gym_id is None else GymRepository(connection).time_zone(gym_id)
            if time_zone is None:
                return UNKNOWN_GYM
            return desk_payments.end_of_day(connection, moment or self._clock(), time_zone)
