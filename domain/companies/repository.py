"""The company in the database."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from domain.companies.model import Company
from domain.companies.tables import companies
from domain.ids import new_id
from domain.memberships.tables import plans

_NAME = "FIT Monitor"  # until an admin sets it (PATCH /company): it is the seller on invoices
_DEFAULT_PLANS = ((30, 1000), (90, 2500), (180, 4500), (365, 8000))  # days, EUR cents; admins change them


class CompanyRepository:
    """Reads and writes the company in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock_or_create(self, now: datetime) -> UUID:
        """Lock the company until the unit of work ends; create it, with the default plans, if there is none."""
        query = select(companies.c.id).order_by(companies.c.id).limit(1).with_for_update()
        found: UUID | None = self._connection.execute(query).scalar_one_or_none()
        if found is not None:
            return found
        company_id = new_id()
        self._connection.execute(insert(companies).values(id=company_id, name=_NAME, created_at=now))
        default_plans = [
            {
                "id": new_id(),
                "company_id": company_id,
                "name": f"{days} days",
                "days": days,
                "price_amount": price,
                "price_currency": "EUR",
                "grace_days": 3,
                "covers_all_gyms": True,
                "created_at": now,
            }
            for days, price in _DEFAULT_PLANS
        ]
        self._connection.execute(insert(plans), default_plans)
        return company_id

    def company(self, company_id: UUID) -> Company:
        """A company.

        Raises:
            sqlalchemy.exc.NoResultFound: there is none with this id.
        """
        row = self._connection.execute(select(companies).where(companies.c.id == company_id)).one()
        return Company(row.id, row.name, row.address, row.vat_number, row.vat_rate_bp)

    def change(self, company_id: UUID, changes: Mapping[str, str | int]) -> None:
        """Set fields of `Company`; an empty mapping changes nothing."""
        if changes:
            self._connection.execute(update(companies).where(companies.c.id == company_id).values(**changes))

    def next_invoice_number(self, company_id: UUID) -> int:
        """Take the next invoice number. The row is locked until the unit of work ends, so numbers have no gaps."""
        query = select(companies.c.last_invoice_number).where(companies.c.id == company_id).with_for_update()
        number: int = self._connection.execute(query).scalar_one() + 1
        self.change(company_id, {"last_invoice_number": number})
        return number
