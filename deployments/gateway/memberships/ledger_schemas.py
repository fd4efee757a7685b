"""The ledger as JSON."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from deployments.gateway.payments.money_schemas import MoneyDocument
from domain.memberships.ledger import Entry, Method


class LedgerDocument(BaseModel):
    """A row of the ledger: never changed, never removed."""

    id: UUID
    booking_id: UUID
    membership_id: UUID | None
    kind: str
    days: int = Field(description="Granted; negative: taken back.")
    from_day: date | None
    until_day: date | None
    money: MoneyDocument | None
    method: Method | None
    order_id: UUID | None
    booked_on: date
    by_id: UUID | None = Field(description="null: the payment's provider, or the system by itself.")
    reason: str
    created_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """As JSON."""
        draft = entry.draft
        return cls(
            id=entry.id,
            booking_id=entry.booking_id,
            membership_id=entry.membership_id,
            kind=draft.kind,
            days=draft.days,
            from_day=draft.period.start if draft.period else None,
            until_day=draft.period.end if draft.period else None,
            money=MoneyDocument.of(draft.money) if draft.money else None,
            method=entry.method,
            order_id=draft.order_id,
            booked_on=entry.booked_on,
            by_id=entry.by_id,
            reason=entry.reason,
            created_at=entry.created_at,
        )
