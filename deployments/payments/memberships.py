"""The service of memberships and their ledger."""

from collections.abc import Callable
from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from deployments.idempotent_calls import IdempotentCall, write_once
from domain.clock import Clock
from domain.memberships import service
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Entry
from domain.memberships.ledger_rules import FreezeLimits
from domain.memberships.model import MemberView
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store


class MembershipService:
    """What members have, and changes that members, staff and admins make.

    Args:
        freeze_limits: of members; admins have none of these.
    """

    def __init__(self, store: Store, clock: Clock, freeze_limits: FreezeLimits) -> None:
        self._store = store
        self._clock = clock
        self.freeze_limits = freeze_limits

    def membership(self, member_id: UUID) -> MemberView | MembershipRefusal:
        """The memberships of a member."""
        with self._store.reading() as connection:
            return service.member_view(connection, member_id, self._clock())

    def ledger(self, member_id: UUID, request: PageRequest) -> Page[Entry]:
        """The ledger entries of a member, newest first."""
        with self._store.reading() as connection:
            return LedgerRepository(connection).entries(member_id, request)

    def freeze(
        self,
        member_id: UUID,
        days: int,
        start: date | None,
        who: BookingOrigin,
        *,
        by_admin: bool,
        call: IdempotentCall | None = None,
    ) -> MemberView | MembershipRefusal:
        """Freeze a member for whole days."""
        limits = None if by_admin else self.freeze_limits
        return self._changed(
            member_id,
            lambda connection: service.freeze(connection, member_id, days, start, limits, who, self._clock()),
            call,
        )

    def unfreeze(self, member_id: UUID, who: BookingOrigin) -> MemberView | MembershipRefusal:
        """End the freeze of a member."""
        return self._changed(member_id, lambda connection: service.unfreeze(connection, member_id, who, self._clock()))

    def adjust(
        self, member_id: UUID, membership_id: UUID, days: int, who: BookingOrigin, *, call: IdempotentCall | None = None
    ) -> MemberView | MembershipRefusal:
        """Grant days to a membership, or take back unused ones."""
        return self._changed(
            member_id,
            lambda connection: service.adjust(connection, member_id, membership_id, days, who, self._clock()),
            call,
        )

    def ban(self, member_id: UUID, who: BookingOrigin, *, banned: bool) -> MemberView | MembershipRefusal:
        """Ban a member, or lift a ban."""
        return self._changed(
            member_id, lambda connection: service.ban(connection, member_id, who, self._clock(), banned=banned)
        )

    def set_reminders(self, member_id: UUID, *, wanted: bool) -> MemberView | MembershipRefusal:
        """Switch the mails before the end of a membership on or off."""
        return self._changed(
            member_id, lambda connection: service.set_reminders(connection, member_id, self._clock(), wanted=wanted)
        )

    def _changed(
        self,
        member_id: UUID,
        change: Callable[[Connection], MembershipRefusal | None],
        call: IdempotentCall | None = None,
    ) -> MemberView | MembershipRefusal:
        """Make a change and read the member in the same unit of work."""

        def use_case(connection: Connection) -> MemberView | MembershipRefusal:
            return change(connection) or service.member_view(connection, member_id, self._clock())

        return write_once(self._store, call, MemberView, use_case)
