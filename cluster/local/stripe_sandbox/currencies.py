"""Amounts as Stripe's API takes and shows them; the currencies themselves are those of `domain.currencies`."""

from cluster.local.stripe_sandbox.errors import InvalidParameterError, SandboxError
from domain.currencies import CURRENCIES, Currency
from domain.money import Money


def currency_named(text: str) -> Currency:
    """A currency by its code in any case; in its answers Stripe writes codes in lower case.

    Raises:
        KeyError: there is none.
    """
    return CURRENCIES[text.upper()]


def check_currency(currency: str, param: str) -> str:
    """A currency in the lower case in which Stripe answers.

    Raises:
        InvalidParameterError: there is no such currency.
    """
    if currency.upper() not in CURRENCIES:
        raise InvalidParameterError(f"Invalid currency: {currency[:10]}.", param)
    return currency.lower()


def check_divisible(amount: int, currency: str, param: str) -> None:
    """Refuse an amount that no card network can move.

    Raises:
        InvalidParameterError: the amount is no multiple of the currency's step.
    """
    refusal = currency_named(currency).refuse_step(amount)
    if refusal is not None:
        raise InvalidParameterError(f"Invalid amount: {refusal}", param, "parameter_invalid_integer")


def check_total(total: int, currency: str) -> None:
    """Refuse a session whose total cannot be charged; a total of 0 can.

    Raises:
        SandboxError: it is too small or too large.
    """
    limits = currency_named(currency)
    if 0 < total < limits.minimum:
        message = f"The Checkout Session's total amount due must add up to at least {shown(limits.minimum, currency)}"
        raise SandboxError(message, code="amount_too_small", param="line_items", began=False)
    if total > limits.maximum:
        message = f"The Checkout Session's total amount due must be no more than {shown(limits.maximum, currency)}"
        raise SandboxError(message, code="amount_too_large", param="line_items", began=False)


def shown(amount: int, currency: str) -> str:
    """An amount of minor units as a person reads it: `1,234.50 EUR`."""
    return str(Money(amount, currency.upper()))
