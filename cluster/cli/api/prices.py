"""Amounts of money as people write them, in the minor units that the API counts."""

import re
from decimal import Decimal
from typing import Any

from cluster.cli.api.errors import WrongUseError
from domain.currencies import currency_of

_PLAIN = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def price_of(text: str, currency: str) -> dict[str, Any]:
    """An amount as the API takes it; raises as `amount_of`."""
    return {"amount": amount_of(text, currency), "currency": currency.upper()}


def amount_of(text: str, currency: str) -> int:
    """How many minor units an amount is: 25.00 EUR are 2500.

    Raises:
        WrongUseError: it is no amount, or has more decimals than the currency.
    """
    decimals = currency_of(currency.upper()).decimals
    amount = Decimal(text).scaleb(decimals) if _PLAIN.fullmatch(text) else Decimal("NaN")
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise WrongUseError(f"{text} is no amount in {currency.upper()}", f"as in {Decimal(25):.{decimals}f}")
    return int(amount)
