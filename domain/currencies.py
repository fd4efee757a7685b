"""The currencies that can be charged, with the amounts of each. It is the only such table of the project.

Source: Stripe, "Supported currencies" (https://docs.stripe.com/currencies): the presentment currencies and the sections
"Zero-decimal currencies", "Three-decimal currencies", "Special cases", "Minimum and maximum charge amounts".
All amounts are integers of the minor unit in which Stripe's API counts the currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: how its amounts are written, and which of them can be charged.

    Args:
        code: ISO 4217, upper case.
        decimals: 0, 2 or 3.
        step: every amount that is charged or refunded is a multiple of it.
        minimum: the smallest possible payment.
        maximum: the largest payment that every payment method accepts.
    """

    code: str
    decimals: int
    step: int
    minimum: int
    maximum: int

    def refuse_step(self, amount: int) -> str | None:
        """Why an amount is refused because it is not a multiple of the step; None if it is one."""
        if amount % self.step == 0:
            return None
        lower = amount - amount % self.step
        nearest = [near for near in (lower, lower + self.step) if self.minimum <= near <= self.maximum]
        advice = f" Use {' or '.join(map(str, nearest))}." if nearest else ""
        return f"{amount} {self.code} is not a multiple of {self.step} {self.code}.{advice}"

    def refuse_charge(self, amount: int) -> str | None:
        """Why an amount cannot be charged; None if it can."""
        if amount < self.minimum:
            return f"{amount} {self.code} is less than the minimum charge. Use {self.minimum} or more (minor units)."
        if amount > self.maximum:
            return f"{amount} {self.code} is more than the maximum charge. Use {self.maximum} or less (minor units)."
        return self.refuse_step(amount)


_ZERO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD JOD KWD OMR TND"
_TWO_DECIMALS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC
    CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR
    KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK
    PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD
    UYU UZS WST XCD XCG YER ZAR ZMW
"""
# Special cases: kept at two decimals by Stripe's API, though fractions cannot be charged. HUF and TWD are such for
# payouts only.
_WHOLE_UNITS = frozenset({"ISK", "UGX"})
_MINIMUM = {
    "AED": 200, "ARS": 50, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "COP": 50, "CZK": 1500, "DKK": 250,
    "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "IDR": 50, "ILS": 50, "INR": 50, "JPY": 50, "KRW": 50, "MXN": 1000,
    "MYR": 200, "NOK": 300, "NZD": 50, "PHP": 50, "PLN": 200, "RON": 200, "RUB": 50, "SEK": 300, "SGD": 50, "THB": 1000,
    "USD": 50, "ZAR": 50,
}  # fmt: skip
# "Other payment methods": some cards take more, but a checkout offers every method of the account.
_MAXIMUM = {"COP": 9_999_999_999, "IDR": 999_999_999_999, "INR": 999_999_999}
_EIGHT_DIGITS = 99_999_999


def _currency(code: str, decimals: int) -> Currency:
    step = 10 if decimals == 3 else 100 if code in _WHOLE_UNITS else 1  # noqa: PLR2004 - decimals
    return Currency(code, decimals, step, _MINIMUM.get(code, step), _MAXIMUM.get(code, _EIGHT_DIGITS))


CURRENCIES: Mapping[str, Currency] = {
    code: _currency(code, decimals)
    for decimals, codes in ((0, _ZERO_DECIMALS), (2, _TWO_DECIMALS), (3, _THREE_DECIMALS))
    for code in codes.split()
}
LARGEST_AMOUNT = max(currency.maximum for currency in CURRENCIES.values())


def currency_of(code: str) -> Currency:
    """A currency of the table. A currency of old rows that is not in the table counts as one with two decimals."""
    return CURRENCIES.get(code) or _currency(code, 2)


def refuse_price(amount: int, code: str) -> str | None:
    """Why a price cannot be charged; None if it can.

    Args:
        amount: minor units.
        code: ISO 4217, upper case.
    """
    if code not in CURRENCIES:
        return f"Currency {code} is not supported. Use one of https://docs.stripe.com/currencies, such as EUR."
    refusal = CURRENCIES[code].refuse_charge(amount)
    return f"Plan price {refusal}" if refusal else None
