"""Which amounts of which currency can be charged (https://docs.stripe.com/currencies)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.cli.api.errors import UsageError
from cluster.cli.api.prices import parse_amount
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.parameters import PriceData, read
from domain.currencies import CURRENCIES, LARGEST_AMOUNT, refuse_price
from domain.money import Money


@pytest.mark.parametrize(
    ("code", "decimals", "step"),
    [
        *(("EUR", 2, 1), ("HUF", 2, 1), ("TWD", 2, 1), ("JPY", 0, 1), ("VND", 0, 1)),
        *(("UGX", 2, 100), ("ISK", 2, 100), ("KWD", 3, 10), ("BHD", 3, 10), ("TND", 3, 10)),
    ],
)
def test_decimals_and_steps_are_those_of_stripe(code: str, decimals: int, step: int) -> None:
    assert (CURRENCIES[code].decimals, CURRENCIES[code].step) == (decimals, step)


@pytest.mark.parametrize(
    "price",
    [
        *(Money(50, "EUR"), Money(99_999_999, "EUR"), Money(30, "GBP"), Money(17_500, "HUF"), Money(50, "JPY")),
        *(Money(50_000, "ISK"), Money(3_000_000, "UGX"), Money(12_500, "KWD"), Money(10, "BHD")),
        *(Money(150_000_000, "IDR"), Money(999_999_999_999, "IDR"), Money(9_999_999_999, "COP")),
        Money(999_999_999, "INR"),
    ],
)
def test_a_price_that_stripe_charges_is_no_problem(price: Money) -> None:
    assert refuse_price(price.amount, price.currency) is None


@pytest.mark.parametrize(
    ("price", "refusal"),
    [
        (Money(50_050, "ISK"), "Plan price 50050 ISK is not a multiple of 100 ISK. Use 50000 or 50100."),
        (Money(150, "UGX"), "Plan price 150 UGX is not a multiple of 100 UGX. Use 100 or 200."),
        (Money(50, "ISK"), "Plan price 50 ISK is less than the minimum charge. Use 100 or more (minor units)."),
        (Money(12_501, "KWD"), "Plan price 12501 KWD is not a multiple of 10 KWD. Use 12500 or 12510."),
        (Money(49, "EUR"), "Plan price 49 EUR is less than the minimum charge. Use 50 or more (minor units)."),
        (
            Money(17_499, "HUF"),
            "Plan price 17499 HUF is less than the minimum charge. Use 17500 or more (minor units).",
        ),
        (Money(0, "VND"), "Plan price 0 VND is less than the minimum charge. Use 1 or more (minor units)."),
        (
            Money(100_000_000, "USD"),
            "Plan price 100000000 USD is more than the maximum charge. Use 99999999 or less (minor units).",
        ),
        (Money(99_999_999, "UGX"), "Plan price 99999999 UGX is not a multiple of 100 UGX. Use 99999900."),
        (
            Money(100, "XYZ"),
            "Currency XYZ is not supported. Use one of https://docs.stripe.com/currencies, such as EUR.",
        ),
    ],
)
def test_a_price_that_stripe_refuses_is_refused_with_what_to_use(price: Money, refusal: str) -> None:
    assert refuse_price(price.amount, price.currency) == refusal


@given(code=st.sampled_from(sorted(CURRENCIES)), amount=st.integers(1, LARGEST_AMOUNT + 1) | st.integers(1, 20_000))
def test_the_sandbox_takes_the_prices_that_plans_can_have_and_no_other(code: str, amount: int) -> None:
    try:
        read(PriceData, {"currency": code.lower(), "unit_amount": str(amount), "product_data": {"name": "30 days"}})
        taken = True
    except SandboxError:
        taken = False
    assert taken == (refuse_price(amount, code) is None)


@given(code=st.sampled_from(sorted(CURRENCIES)), amount=st.integers(1, LARGEST_AMOUNT))
def test_what_is_shown_is_read_again_as_the_same_amount(code: str, amount: int) -> None:
    text, shown_code = str(Money(amount, code)).split(" ")
    assert shown_code == code
    assert parse_amount(text.replace(",", ""), code) == amount


def test_shillings_and_kronur_are_shown_as_stripe_counts_them() -> None:
    assert str(Money(3_000_000, "UGX")) == "30,000.00 UGX"
    assert str(Money(50_000, "ISK")) == "500.00 ISK"


@pytest.mark.parametrize("text", ["1e999999", "1E999990", "1_000", "-5", "4,00", "0.001", "9" * 30, "nan", ""])
def test_what_is_no_plain_amount_is_refused_on_the_command_line(text: str) -> None:
    with pytest.raises(UsageError, match="is not an amount in EUR"):
        parse_amount(text, "EUR")
