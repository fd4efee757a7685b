"""Amounts of money as people type them, converted to the minor units of the API."""

import re
from decimal import Decimal
from typing import Any

from cluster.cli.api.errors import UsageError
from domain.currencies import currency_of

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def parse_price(text: str, currency: str) -> dict[str, Any]:
    """An amount with its currency as the API takes it; raises as `parse_amount`."""
    return {"amount": parse_amount(text, currency), "currency": currency.upper()}


def parse_amount(text: str, currency: str) -> int:
    """An amount in minor units: 25.00 EUR is 2500.

    Raises:
        UsageError: the text is not an amount, or has more decimals than the currency.
    """
    decimals = currency_of(currency.upper()).decimals
    amount = Decimal(text).scaleb(decimals) if _NUMBER.fullmatch(text) else Decimal("NaN")
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise UsageError(f"{text} is not an amount in {currency.upper()}", f"write it like {Decimal(25):.{decimals}f}")
    return int(amount)
