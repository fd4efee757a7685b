"""Money: an integer of a currency's minor units."""

from dataclasses import dataclass
from decimal import Decimal

from domain.currencies import currency_of


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of a currency (ISO 4217)."""

    amount: int
    currency: str

    def __str__(self) -> str:
        """The amount as on an invoice: `10.00 EUR`, `1,000 JPY`."""
        decimals = currency_of(self.currency).decimals
        return f"{Decimal(self.amount).scaleb(-decimals):,.{decimals}f} {self.currency}"


def vat_in(gross: int, rate_bp: int) -> int:
    """The tax within a gross amount, in minor units, rounded half up.

    Args:
        rate_bp: the rate in hundredths of a percent: 1900 is 19 %.
    """
    if gross < 0:
        return -vat_in(-gross, rate_bp)
    return (2 * gross * rate_bp + 10_000 + rate_bp) // (2 * (10_000 + rate_bp))
