"""Money: a whole number of a currency's minor units, and how many of those make one."""

from dataclasses import dataclass
from decimal import Decimal

# As Stripe counts them (docs.stripe.com/currencies); every other currency has two decimals.
_WITHOUT_DECIMALS = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of a currency (ISO 4217)."""

    amount: int
    currency: str

    def __str__(self) -> str:
        """As on an invoice: `10.00 EUR`, `1,000 JPY`."""
        return f"{decimal_of(self):,.{decimals_of(self.currency)}f} {self.currency}"


def decimals_of(currency: str) -> int:
    """How many decimals a currency is written with: 0, 2 or 3."""
    if currency in _WITHOUT_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def decimal_of(money: Money) -> Decimal:
    """The amount in whole units."""
    return Decimal(money.amount).scaleb(-decimals_of(money.currency))


def smallest_step(currency: str) -> int:
    """What an amount is a multiple of, in minor units: Stripe takes three decimals, the last of which is 0."""
    return 10 if decimals_of(currency) == 3 else 1  # noqa: PLR2004 - decimals


def vat_in(gross: int, rate_bp: int) -> int:
    """The tax within a gross amount, in minor units, rounded half up.

    Args:
        rate_bp: the rate in hundredths of a percent: 1900 is 19 %.
    """
    if gross < 0:
        return -vat_in(-gross, rate_bp)
    return (2 * gross * rate_bp + 10_000 + rate_bp) // (2 * (10_000 + rate_bp))
