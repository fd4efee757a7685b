"""The company that sells plans and issues invoices."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Company:
    """The seller as invoices name it.

    Args:
        vat_rate_bp: VAT rate of new orders, in hundredths of a percent.
    """

    id: UUID
    name: str
    address: str
    vat_number: str
    vat_rate_bp: int
