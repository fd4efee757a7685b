"""Field types and schemas that several areas share."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.text import LINE, PARAGRAPHS
from domain.currencies import LARGEST_AMOUNT
from domain.money import Money

Name = Annotated[str, StringConstraints(min_length=1, max_length=100), LINE]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=200), PARAGRAPHS]


class Document(BaseModel):
    """A response body. `model_validate` reads it from the attributes of a domain object."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def copy_of(cls, source: object, **fields: Any) -> Self:  # noqa: ANN401 - pydantic validates them
        """Convert a domain object: `fields`, and for every other field the attribute of the same name."""
        names = cls.model_fields.keys() - fields.keys()
        return cls.model_validate({name: getattr(source, name) for name in names} | fields)


def _currency(code: str) -> str:
    if len(code) != 3 or not code.isascii() or not code.isalpha():  # noqa: PLR2004 - ISO 4217
        raise ValueError("must be a currency code of three letters, such as EUR")
    return code.upper()


Currency = Annotated[str, AfterValidator(_currency), Field(examples=["EUR"])]


class MoneyDocument(Document):
    """An amount in minor units: 1000 EUR is ten euros, 1000 JPY is a thousand yen."""

    amount: int = Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT)
    currency: Currency


class PriceDocument(RequestBody, MoneyDocument):
    """A gross price, in minor units."""

    amount: int = Field(ge=1, le=LARGEST_AMOUNT)

    def money(self) -> Money:
        """The price as a domain value."""
        return Money(self.amount, self.currency)
