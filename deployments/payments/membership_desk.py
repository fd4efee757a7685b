"""What the Payments deployment answers about memberships and their ledger."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, select, update

from deployments.keyed_call import KeyedCall
from deployments.store_desk import StoreDesk
from domain.identity.tables import users
from domain.memberships import service
from domain.memberships.bookings import FreezeLimits
from domain.memberships.days import begin_of
from domain.memberships.ledger import Entry
from domain.memberships.model import Membership
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import Held, LedgerRepository, Who, projection
from domain.memberships.rules import Standing, standing
from domain.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class MembershipView:
    """A membership as its member sees it; days are of `time_zone`, `ends_on` is the first one not held."""

    id: UUID
    plan_id: UUID
    plan_name: str
    covers_all_gyms: bool
    gyms: tuple[UUID, ...]
    time_zone: str
    starts_on: date
    ends_on: date
    ends_at: datetime
    days_left: int
    grace_until: date
    frozen_from: date | None
    frozen_until: date | None
    suspended_since: date | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class MemberView:
    """What a member has: nothing, or some memberships, the one that lasts longest first."""

    member_id: UUID
    banned: bool
    reminder_mails: bool
    memberships: tuple[MembershipView, ...]


class MembershipDesk(StoreDesk):
    """Answers about memberships."""

    freeze_limits = FreezeLimits()

    def membership(self, member_id: UUID) -> MemberView | MembershipRefusal:
        """What a member has."""
        with self._reading() as connection:
            return _member_view(connection, member_id, self._clock())

    def ledger(self, member_id: UUID, asked: PageRequest) -> Page[Entry]:
        """The rows of a member's ledger, newest first."""
        with self._reading() as connection:
            return LedgerRepository(connection).entries(member_id, asked)

    def freeze(
        self,
        member_id: UUID,
        days: int,
        start: date | None,
        who: Who,
        *,
        by_admin: bool,
        call: KeyedCall | None = None,
    ) -> MemberView | MembershipRefusal:
        """Freeze a member for whole days."""
        limits = None if by_admin else self.freeze_limits

        def freeze(connection: Connection) -> MemberView | MembershipRefusal:
            done = service.freeze(connection, member_id, days, start, limits, who, self._clock())
            return done if isinstance(done, MembershipRefusal) else _member_view(connection, member_id, self._clock())

        return self._written_once(call, MemberView, freeze)

    def unfreeze(self, member_id: UUID, who: Who) -> MemberView | MembershipRefusal:
        """End a member's freeze."""
        done = self._written(lambda connection: service.unfreeze(connection, member_id, who, self._clock()))
        return self._shown(member_id, done)

    def adjust(
        self, member_id: UUID, membership_id: UUID, days: int, who: Who, *, call: KeyedCall | None = None
    ) -> MemberView | MembershipRefusal:
        """Give days to a membership, or take back such as are not used up."""

        def adjust(connection: Connection) -> MemberView | MembershipRefusal:
            done = service.adjust(connection, member_id, membership_id, days, who, self._clock())
            return done if isinstance(done, MembershipRefusal) else _member_view(connection, member_id, self._clock())

        return self._written_once(call, MemberView, adjust)

    def ban(self, member_id: UUID, who: Who, *, banned: bool) -> MemberView | MembershipRefusal:
        """Let somebody in nowhere any more, or again."""
        done = self._written(lambda connection: service.ban(connection, member_id, who, self._clock(), banned=banned))
        return self._shown(member_id, done)

    def set_reminders(self, member_id: UUID, *, wanted: bool) -> MemberView | MembershipRefusal:
        """Whether a member gets mails before a membership ends."""
        off_at = None if wanted else self._clock()
        self._written(
            lambda connection: connection.execute(
                update(users).where(users.c.id == member_id).values(reminders_off_at=off_at)
            ).close()
        )
        return self.membership(member_id)

    def _shown(self, member_id: UUID, done: object) -> MemberView | MembershipRefusal:
        return done if isinstance(done, MembershipRefusal) else self.membership(member_id)


def _member_view(connection: Connection, member_id: UUID, now: datetime) -> MemberView | MembershipRefusal:
    user = connection.execute(
        select(users.c.banned_at, users.c.reminders_off_at).where(users.c.id == member_id)
    ).one_or_none()
    if user is None:
        return service.UNKNOWN_MEMBER
    held = LedgerRepository(connection).held_by(member_id)
    views = sorted((_view(each, now) for each in held), key=lambda view: view.ends_at, reverse=True)
    return MemberView(member_id, user.banned_at is not None, user.reminders_off_at is None, tuple(views))


def _view(held: Held, now: datetime) -> MembershipView:
    account, details, today = held.account, held.plan.details, held.today(now)
    projected = projection(account, held.time_zone)
    starts_at, ends_at = projected["starts_at"], projected["ends_at"]
    ends_on, grace_until = account.ends_on, service.grace_until(held)
    assert starts_at and ends_at and ends_on and grace_until and account.starts_on  # noqa: S101, PT018 - one grant made it
    freeze = account.freeze if account.freeze and account.freeze.end > today else None
    seen = Membership(
        starts_at=starts_at,
        ends_at=ends_at,
        grace=begin_of(grace_until, held.time_zone) - ends_at,
        frozen_from=projected["frozen_from"],
        frozen_until=projected["frozen_until"],
        in_arrears=account.suspended_since is not None,
        covers_gym=True,
    )
    left = account.coverage.days() - account.coverage.days_before(account.counted_from(today))
    return MembershipView(
        id=held.id,
        plan_id=held.plan.id,
        plan_name=details.name,
        covers_all_gyms=details.covers_all_gyms,
        gyms=tuple(sorted(details.gyms)),
        time_zone=held.time_zone,
        starts_on=min(account.starts_on, ends_on),
        ends_on=ends_on,
        ends_at=ends_at,
        days_left=left,
        grace_until=grace_until,
        frozen_from=freeze.start if freeze else None,
        frozen_until=freeze.end if freeze else None,
        suspended_since=account.suspended_since,
        standing=standing([seen], now),
    )
