"""What a member has, and what is wished about it, as JSON."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from deployments.gateway.payments.money_schemas import Reason
from deployments.http.calendar_days import WrittenDay
from deployments.http.request_body import RequestBody
from deployments.http.text import PARAGRAPHS
from domain.memberships.model import MembershipState, MembershipView, MemberView


class FreezeDocument(BaseModel):
    """Whole days without entry, `[from, until)`."""

    from_day: date
    until_day: date


class HeldDocument(BaseModel):
    """A membership. Days are those of `time_zone`; `ends_on` is the first that is not held any more."""

    id: UUID
    plan_id: UUID
    plan_name: str
    covers_all_gyms: bool
    gyms: list[UUID]
    state: MembershipState
    time_zone: str
    starts_on: date
    ends_on: date
    ends_at: datetime
    days_left: int
    grace_until: date
    freeze: FreezeDocument | None
    suspended_since: date | None


class MemberMembershipDocument(BaseModel):
    """What a member has; the membership that lasts longest first."""

    member_id: UUID
    state: MembershipState
    ends_at: datetime | None
    remedy: str | None = Field(description="What would mend it, or be wise: `renew`, `pay`, `unfreeze`, …")
    reminder_mails: bool
    memberships: list[HeldDocument]

    @classmethod
    def of(cls, view: MemberView) -> Self:
        """As JSON."""
        return cls(
            member_id=view.member_id,
            state=view.state,
            ends_at=view.memberships[0].ends_at if view.memberships else None,
            remedy=view.remedy,
            reminder_mails=view.reminder_mails,
            memberships=[_held(each) for each in view.memberships],
        )


def _held(view: MembershipView) -> HeldDocument:
    frozen = view.frozen_from and view.frozen_until
    return HeldDocument(
        id=view.id,
        plan_id=view.plan_id,
        plan_name=view.plan_name,
        covers_all_gyms=view.covers_all_gyms,
        gyms=list(view.gyms),
        state=view.state,
        time_zone=view.time_zone,
        starts_on=view.starts_on,
        ends_on=view.ends_on,
        ends_at=view.ends_at,
        days_left=view.days_left,
        grace_until=view.grace_until,
        freeze=FreezeDocument(from_day=view.frozen_from, until_day=view.frozen_until) if frozen else None,
        suspended_since=view.suspended_since,
    )


_LAST_DAY = date(9000, 1, 1)  # from here every sum of days is within the calendar


def _within_the_calendar(day: date) -> date:
    if day >= _LAST_DAY:
        raise ValueError(f"is a day before {_LAST_DAY}")
    return day


class NewFreeze(RequestBody):
    """Whole days without entry; the end moves by as many."""

    days: Annotated[int, Field(ge=1, le=366)]
    from_day: Annotated[WrittenDay, AfterValidator(_within_the_calendar)] | None = Field(
        default=None, description="The first day, in the gym's time zone; left out: today."
    )
    reason: Annotated[str, StringConstraints(max_length=200), PARAGRAPHS] = ""


class NewAdjustment(RequestBody):
    """Days given, or taken back."""

    membership_id: UUID
    days: Annotated[int, Field(ge=-3660, le=3660, description="Negative: taken back, as far as they are unused.")]
    reason: Reason


class Ban(RequestBody):
    """Why somebody is let in nowhere any more."""

    reason: Reason


class ReminderChoice(RequestBody):
    """Whether one gets mails before a membership ends."""

    mails: bool
