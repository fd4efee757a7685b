"""Request and response bodies of plans, the company, memberships and the ledger."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from deployments.http.calendar_days import IsoDate
from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document, MoneyDocument, Name, PriceDocument, Reason
from deployments.http.text import LINE, PARAGRAPHS
from domain.memberships.ledger import Entry, Method
from domain.memberships.model import MembershipState, MembershipView, MemberView
from domain.memberships.plans import Plan, PlanDetails

Days = Annotated[int, Field(ge=1, le=3660, description="Length in whole days.")]
GraceDays = Annotated[int, Field(ge=0, le=90, description="Days after the end on which the member can still enter.")]
CoversAll = Annotated[bool, Field(description="Valid at all gyms of the company; otherwise at those in `gyms`.")]
Gyms = Annotated[list[UUID], Field(max_length=500)]


class PlanDocument(Document):
    """A plan. `version` is its `ETag`."""

    id: UUID
    name: str
    days: int
    price: MoneyDocument
    grace_days: int
    covers_all_gyms: bool
    gyms: list[UUID]
    retired_at: datetime | None
    version: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Convert a plan."""
        gyms = sorted(plan.details.gyms)
        return cls.copy_of(plan.details, id=plan.id, gyms=gyms, retired_at=plan.retired_at, version=plan.version)


def _check_gyms(covers_all: bool, gyms: list[UUID]) -> None:  # noqa: FBT001 - the value of a field
    if covers_all == bool(gyms):
        raise ValueError("must have `gyms` if, and only if, the plan does not cover all gyms")


class NewPlan(RequestBody):
    """A plan to create."""

    name: Name
    days: Days
    price: PriceDocument
    grace_days: GraceDays = 3
    covers_all_gyms: CoversAll = True
    gyms: Gyms = Field(default_factory=list)

    @model_validator(mode="after")
    def all_gyms_or_some(self) -> Self:
        """Require `gyms` exactly when the plan does not cover all gyms."""
        _check_gyms(self.covers_all_gyms, self.gyms)
        return self

    def details(self) -> PlanDetails:
        """The plan as a domain value."""
        return PlanDetails(
            self.name, self.days, self.price.money(), self.grace_days, self.covers_all_gyms, frozenset(self.gyms)
        )


class PlanChanges(RequestBody):
    """Changes of a plan; a field that is left out stays as it is. Of a sold plan only name and price can change."""

    # The default values are never read: `changes` returns only the fields that were sent.
    name: Name = Field(default_factory=str)
    days: Days = Field(default_factory=int)
    price: PriceDocument = Field(default_factory=lambda: PriceDocument(amount=1, currency="EUR"))
    grace_days: GraceDays = Field(default_factory=int)
    covers_all_gyms: CoversAll = Field(default_factory=bool)
    gyms: Gyms = Field(default_factory=list)

    @model_validator(mode="after")
    def all_gyms_or_some(self) -> Self:
        """Require `gyms` with `covers_all_gyms: false`, and no gyms with `covers_all_gyms: true`."""
        sent = self.model_fields_set
        if "gyms" in sent or self.covers_all_gyms:
            _check_gyms(self.covers_all_gyms, self.gyms)
        elif "covers_all_gyms" in sent:
            raise ValueError("must have `gyms`, because the plan does not cover all gyms")
        return self

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, as fields of `PlanDetails`."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "price" in sent:
            sent["price"] = self.price.money()
        if sent.keys() & {"covers_all_gyms", "gyms"}:
            sent |= {"covers_all_gyms": self.covers_all_gyms, "gyms": frozenset(self.gyms)}
        return sent


class CompanyDocument(Document):
    """The seller, as invoices name it."""

    id: UUID
    name: str
    address: str
    vat_number: str
    vat_rate_bp: int = Field(description="Hundredths of a percent: 1900 is 19 %. Prices include it.")


class CompanyChanges(RequestBody):
    """Changes of the company; a field that is left out stays as it is. Issued invoices do not change."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200), LINE] = Field(default_factory=str)
    address: Annotated[str, StringConstraints(max_length=500), PARAGRAPHS] = Field(default_factory=str)
    vat_number: Annotated[str, StringConstraints(max_length=32), LINE] = Field(default_factory=str)
    vat_rate_bp: Annotated[int, Field(ge=0, le=5000)] = Field(default_factory=int)

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


class FreezeDocument(BaseModel):
    """A freeze: whole days without entry, from `from_day` to the day before `until_day`."""

    from_day: date
    until_day: date


class HeldDocument(Document):
    """A membership. Its days are those of `time_zone`; `ends_on` is the first day after it."""

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

    @classmethod
    def of(cls, view: MembershipView) -> Self:
        """Convert a membership."""
        start, end = view.frozen_from, view.frozen_until
        freeze = FreezeDocument(from_day=start, until_day=end) if start and end else None
        return cls.copy_of(view, freeze=freeze)


class MemberMembershipDocument(Document):
    """The memberships of a member. The one that ends last is first."""

    member_id: UUID
    state: MembershipState
    ends_at: datetime | None
    remedy: str | None = Field(description="What the member can do: `renew`, `pay`, `unfreeze`, …")
    reminder_mails: bool
    memberships: list[HeldDocument]

    @classmethod
    def of(cls, view: MemberView) -> Self:
        """Convert the memberships of a member."""
        return cls.copy_of(
            view,
            ends_at=view.memberships[0].ends_at if view.memberships else None,
            memberships=[HeldDocument.of(each) for each in view.memberships],
        )


_LAST_DAY = date(9000, 1, 1)  # the sum of this day and any duration here is a valid date


def _before_last_day(day: date) -> date:
    if day >= _LAST_DAY:
        raise ValueError(f"must be before {_LAST_DAY}")
    return day


class NewFreeze(RequestBody):
    """A freeze of whole days. The end of the membership moves by as many days."""

    days: Annotated[int, Field(ge=1, le=366)]
    from_day: Annotated[IsoDate, AfterValidator(_before_last_day)] | None = Field(
        default=None, description="The first day, in the gym's time zone (default: today)."
    )
    reason: Annotated[str, StringConstraints(max_length=200), PARAGRAPHS] = ""


class NewAdjustment(RequestBody):
    """Days to add to a membership, or to remove from it."""

    membership_id: UUID
    days: Annotated[int, Field(ge=-3660, le=3660, description="A negative number removes unused days.")]
    reason: Reason


class Ban(RequestBody):
    """Why a member is banned."""

    reason: Reason


class ReminderChoice(RequestBody):
    """Whether a member gets e-mails before a membership ends."""

    mails: bool


class LedgerDocument(Document):
    """A ledger entry. Entries are never changed or deleted."""

    id: UUID
    booking_id: UUID
    membership_id: UUID | None
    kind: str
    days: int = Field(description="Days added; negative: days removed.")
    from_day: date | None
    until_day: date | None
    money: MoneyDocument | None
    method: Method | None
    order_id: UUID | None
    booked_on: date
    by_id: UUID | None = Field(description="null: the payment provider, or the system itself.")
    reason: str
    created_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Convert a ledger entry."""
        draft = entry.draft
        return cls.copy_of(
            entry,
            kind=draft.kind,
            days=draft.days,
            from_day=draft.period.start if draft.period else None,
            until_day=draft.period.end if draft.period else None,
            money=draft.money,
            order_id=draft.order_id,
        )
