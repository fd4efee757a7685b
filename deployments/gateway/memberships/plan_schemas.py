"""Plans, and the company that sells them, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from deployments.gateway.payments.money_schemas import MoneyDocument, PriceDocument
from deployments.gateway.schemas import Name
from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from deployments.http.text import LINE, PARAGRAPHS
from domain.memberships.plans import Plan, PlanDetails

Days = Annotated[int, Field(ge=1, le=3660, description="Whole days that it lasts.")]


GraceDays = Annotated[int, Field(ge=0, le=90, description="How long after the end the door still opens.")]


CoversAll = Annotated[bool, Field(description="Good for all gyms of the company; else for those of `gyms`.")]


Gyms = Annotated[list[UUID], Field(max_length=500)]


class PlanDocument(Document):
    """A plan."""

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
        """As JSON."""
        details = plan.details
        return cls(
            id=plan.id,
            name=details.name,
            days=details.days,
            price=MoneyDocument.of(details.price),
            grace_days=details.grace_days,
            covers_all_gyms=details.covers_all_gyms,
            gyms=sorted(details.gyms),
            retired_at=plan.retired_at,
            version=plan.version,
        )


def _where(covers_all: bool, gyms: list[UUID]) -> None:  # noqa: FBT001 - a field's own value
    if covers_all == bool(gyms):
        raise ValueError("name gyms exactly where the plan does not cover all of them")


class NewPlan(RequestBody):
    """A plan to be sold."""

    name: Name
    days: Days
    price: PriceDocument
    grace_days: GraceDays = 3
    covers_all_gyms: CoversAll = True
    gyms: Gyms = Field(default_factory=list)

    @model_validator(mode="after")
    def somewhere(self) -> Self:
        """All gyms, or some that are named."""
        _where(self.covers_all_gyms, self.gyms)
        return self

    def details(self) -> PlanDetails:
        """The same, inside."""
        return PlanDetails(
            self.name, self.days, self.price.money(), self.grace_days, self.covers_all_gyms, frozenset(self.gyms)
        )


class PlanChanges(RequestBody):
    """What is to change of a plan; what is left out stays. Of one that was sold only its name and its price."""

    # The values in place of what is left out are never read.
    name: Name = Field(default_factory=str)
    days: Days = Field(default_factory=int)
    price: PriceDocument = Field(default_factory=lambda: PriceDocument(amount=1, currency="EUR"))
    grace_days: GraceDays = Field(default_factory=int)
    covers_all_gyms: CoversAll = Field(default_factory=bool)
    gyms: Gyms = Field(default_factory=list)

    @model_validator(mode="after")
    def somewhere(self) -> Self:
        """Where it is good is said whole, or not at all."""
        told = self.model_fields_set & {"covers_all_gyms", "gyms"}
        if "gyms" in told or self.covers_all_gyms:
            _where(self.covers_all_gyms, self.gyms)
        elif told:
            raise ValueError("name the gyms of a plan that does not cover all of them")
        return self

    def changes(self) -> dict[str, Any]:
        """What was sent, as fields of `PlanDetails`."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "price" in told:
            told["price"] = self.price.money()
        if told.keys() & {"covers_all_gyms", "gyms"}:
            told |= {"covers_all_gyms": self.covers_all_gyms, "gyms": frozenset(self.gyms)}
        return told


class CompanyDocument(Document):
    """Who sells, as it stands on invoices."""

    id: UUID
    name: str
    address: str
    vat_number: str
    vat_rate_bp: int = Field(description="Hundredths of a percent: 1900 is 19 %. Prices include it.")


class CompanyChanges(RequestBody):
    """What is to change; invoices that were issued stay as they are."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200), LINE] = Field(default_factory=str)
    address: Annotated[str, StringConstraints(max_length=500), PARAGRAPHS] = Field(default_factory=str)
    vat_number: Annotated[str, StringConstraints(max_length=32), LINE] = Field(default_factory=str)
    vat_rate_bp: Annotated[int, Field(ge=0, le=5000)] = Field(default_factory=int)

    def changes(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(exclude_unset=True)
