"""Amounts of money as JSON."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints

from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from deployments.http.text import PARAGRAPHS
from domain.currencies import LARGEST_AMOUNT
from domain.money import Money

Reason = Annotated[str, StringConstraints(min_length=1, max_length=200), PARAGRAPHS]


def _currency(word: str) -> str:
    if len(word) != 3 or not word.isascii() or not word.isalpha():  # noqa: PLR2004 - ISO 4217
        raise ValueError("is a currency's three letters, as in EUR")
    return word.upper()


Currency = Annotated[str, AfterValidator(_currency), Field(examples=["EUR"])]


class MoneyDocument(Document):
    """An amount in minor units: 1000 EUR are ten euros, 1000 JPY a thousand yen."""

    amount: int = Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT)
    currency: Currency

    @classmethod
    def of(cls, money: Money) -> Self:
        """As JSON."""
        return cls(amount=money.amount, currency=money.currency)


class PriceDocument(RequestBody, MoneyDocument):
    """A price, gross."""

    amount: int = Field(ge=1, le=LARGEST_AMOUNT)

    def money(self) -> Money:
        """The same, inside."""
        return Money(self.amount, self.currency)
