"""VAT over all documents of one order, whatever was refunded, charged back or paid again in between."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.currencies import CURRENCIES
from domain.money import vat_in
from domain.payments.invoices import InvoiceKind, InvoiceText, Seller, next_vat
from domain.payments.ports import Buyer

_TEXT = InvoiceText(
    kind=InvoiceKind.INVOICE,
    number="000001",
    issued_on=date(2026, 3, 1),
    seller=Seller("Gyms Ltd", "", ""),
    buyer=Buyer(),
    description="",
    period_from=None,
    period_until=None,
    currency="EUR",
    gross=0,
    net=0,
    vat=0,
    vat_rate_bp=0,
    paid_by="stripe",
)


def issued(texts: list[InvoiceText], gross: int, rate_bp: int) -> InvoiceText:
    """The next document of an order, of a positive gross where money came and a negative one where it went."""
    vat = next_vat(texts, gross, rate_bp)
    text = replace(_TEXT, gross=gross, net=gross - vat, vat=vat, vat_rate_bp=rate_bp)
    texts.append(text)
    return text


def sums(texts: list[InvoiceText]) -> tuple[int, int, int]:
    return sum(text.gross for text in texts), sum(text.net for text in texts), sum(text.vat for text in texts)


def test_ten_euros_refunded_in_three_parts_leave_no_cent_of_vat() -> None:
    texts: list[InvoiceText] = []
    for gross in (1000, -333, -333, -334):
        issued(texts, gross, 1900)
    assert [(text.net, text.vat) for text in texts] == [(840, 160), (-279, -54), (-280, -53), (-281, -53)]
    assert sums(texts) == (0, 0, 0)


@given(
    parts=st.lists(st.integers(1, 10**6), min_size=1, max_size=20),
    rate_bp=st.integers(0, 5000),
    currency=st.sampled_from(sorted(CURRENCIES)),
)
def test_a_full_refund_in_any_parts_adds_up_to_zero(parts: list[int], rate_bp: int, currency: str) -> None:
    step = CURRENCIES[currency].step
    texts: list[InvoiceText] = []
    assert issued(texts, sum(parts) * step, rate_bp).vat == vat_in(sum(parts) * step, rate_bp)
    for part in parts:
        credit = issued(texts, -part * step, rate_bp)
        assert 0 <= -credit.vat <= part * step
        assert abs(-credit.vat - vat_in(part * step, rate_bp)) <= 1
    assert sums(texts) == (0, 0, 0)


@given(
    price=st.integers(1, 10**12),
    moves=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=20),
    rate_bp=st.integers(0, 5000),
)
def test_after_every_refund_failed_refund_and_reversal_vat_is_that_of_what_was_kept(
    price: int, moves: list[tuple[bool, float]], rate_bp: int
) -> None:
    texts: list[InvoiceText] = []
    issued(texts, price, rate_bp)
    kept = price
    for comes_back, share in moves:
        gross = round((price - kept) * share) if comes_back else -round(kept * share)
        issued(texts, gross, rate_bp)
        kept += gross
        assert sums(texts) == (kept, kept - vat_in(kept, rate_bp), vat_in(kept, rate_bp))
    issued(texts, -kept, rate_bp)
    assert sums(texts) == (0, 0, 0)


@pytest.mark.parametrize("residue", [-2, -1, 1, 2])
def test_a_residue_of_older_documents_goes_with_the_last_one(residue: int) -> None:
    vat = residue - 80
    texts = [replace(_TEXT, gross=1000, net=840, vat=160), replace(_TEXT, gross=-500, net=-500 - vat, vat=vat)]
    issued(texts, -500, 1900)
    assert sums(texts) == (0, 0, 0)
