"""Amounts of money as JSON."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from deployments.gateway.documents import Document
from deployments.gateway.request_body import RequestBody
from deployments.gateway.text import PARAGRAPHS
from domain.money import Money, smallest_step

LARGEST_AMOUNT = 99_999_999  # Stripe takes no more in one payment


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

    @model_validator(mode="after")
    def payable(self) -> Self:
        """Stripe takes three-decimal currencies with a last digit of 0 only."""
        if self.amount % smallest_step(self.currency):
            raise ValueError(f"amounts in {self.currency} are multiples of {smallest_step(self.currency)}")
        return self

    def money(self) -> Money:
        """The same, inside."""
        return Money(self.amount, self.currency)
