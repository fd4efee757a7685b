"""Invoices as a PDF and as a page."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html import unescape
from itertools import combinations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont
from ttf_opensans import opensans

from domain.payments.invoices import InvoiceKind, InvoiceText, Seller
from domain.payments.ports import Buyer
from integrations.rendering.invoices import PAGE_POLICY, invoice_page, invoice_pdf

INVOICE = InvoiceText(
    kind=InvoiceKind.INVOICE,
    number="000042",
    issued_on=date(2026, 11, 26),
    seller=Seller("Iron Temple GmbH", "Musterstraße 12, 10115 Berlin", "DE123456789"),
    buyer=Buyer("Zofia Kowalska", "zofia@example.org", "ul. Żółta 4/7, 00-950 Warszawa"),
    description="Membership, Gold",
    period_from=date(2026, 12, 1),
    period_until=date(2026, 12, 31),
    currency="EUR",
    gross=10000,
    net=8403,
    vat=1597,
    vat_rate_bp=1900,
    paid_by="stripe",
)
CREDIT_NOTE = replace(
    INVOICE,
    kind=InvoiceKind.CREDIT_NOTE,
    number="000043",
    gross=-5000,
    net=-4202,
    vat=-798,
    refers_to="000042",
    reason="Moves to another city",
)
MINUS = "\N{MINUS SIGN}"
_WEIGHTS = {
    b"F1": ImageFont.truetype(str(opensans(400).path), 1000, layout_engine=ImageFont.Layout.BASIC),
    b"F2": ImageFont.truetype(str(opensans(700).path), 1000, layout_engine=ImageFont.Layout.BASIC),
}
MM = 72 / 25.4
BUYER_X = 311.81
_DRAWN = re.compile(rb"/(F\d) ([\d.]+) Tf|BT ([\d.]+) ([\d.]+) Td[^(]*\(((?:\\.|[^\\)])*)\) Tj", re.DOTALL)


class _Word(NamedTuple):
    """A line on a sheet, in points from its lower left corner."""

    page: int
    x: float
    y: float
    right: float
    size: float
    text: str


def _words(pdf: bytes) -> Iterator[_Word]:
    """The lines of a PDF that is not compressed (ISO 32000-1, 9.4.3 and 9.10.3)."""
    objects = dict(re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL))
    letters: dict[bytes, dict[int, str]] = {}
    for name, font in re.findall(rb"/(F\d) (\d+) 0 R", pdf):
        (unicode,) = re.findall(rb"/ToUnicode (\d+) 0 R", objects[font])
        pairs = re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", objects[unicode].partition(b"beginbfchar")[2])
        letters[name] = {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
    for page, content in enumerate(re.findall(rb"/Contents (\d+) 0 R", pdf)):
        font, size = b"", 0.0
        for drawn in _DRAWN.finditer(objects[content]):
            if drawn[1]:
                font, size = drawn[1], float(drawn[2])
                continue
            x, y = float(drawn[3]), float(drawn[4])
            codes = re.sub(rb"\\(.)", lambda found: found[1].replace(b"r", b"\r"), drawn[5], flags=re.DOTALL)
            text = "".join(letters[font][int.from_bytes(codes[at : at + 2], "big")] for at in range(0, len(codes), 2))
            yield _Word(page, x, y, x + _WEIGHTS[font].getlength(text) * size / 1000, size, text)


def _texts(text: InvoiceText) -> list[str]:
    return [word.text for word in _words(invoice_pdf(text, readable=True))]


def _seen(text: InvoiceText) -> list[str]:
    """The texts of the page, one for each element."""
    _, _, body = invoice_page(text).partition("<body>")
    return [unescape(line).strip() for line in re.sub("<[^>]*>", "\n", body).split("\n") if line.strip()]


VIEWS = pytest.mark.parametrize("view", [_texts, _seen])
View = Callable[[InvoiceText], list[str]]


@VIEWS
def test_an_invoice_says_what_the_directive_asks(view: View) -> None:
    assert sorted(view(INVOICE)) == sorted(
        [
            "Invoice 000042",
            *("Seller", "Iron Temple GmbH", "Musterstraße 12", "10115 Berlin", "VAT number DE123456789"),
            *("Buyer", "Zofia Kowalska", "ul. Żółta 4/7", "00-950 Warszawa", "zofia@example.org"),
            *("Number", "000042", "Date of issue", "26 November 2026", "Payment", "Paid by card, online"),
            *("Description", "Membership, Gold", "1 December 2026 \N{EN DASH} 30 December 2026"),
            *("Quantity", "1", "Net price", "84.03 EUR"),
            *("Net", "84.03 EUR", "VAT 19 %", "15.97 EUR", "Total", "100.00 EUR"),
        ]
    )


@VIEWS
def test_a_credit_note_names_its_invoice_and_its_reason(view: View) -> None:
    told = view(CREDIT_NOTE)
    assert told[0] == "Credit note 000043"
    assert {"Refers to invoice", "000042", "Reason: Moves to another city", "Refunded to the card"} <= set(told)
    assert told[told.index("Total") + 1] == f"{MINUS}50.00 EUR"


@VIEWS
@pytest.mark.parametrize(
    ("method", "kind", "said"),
    [
        ("stripe", InvoiceKind.INVOICE, "Paid by card, online"),
        ("cash", InvoiceKind.INVOICE, "Paid in cash"),
        ("card_terminal", InvoiceKind.INVOICE, "Paid by card, at reception"),
        ("cash", InvoiceKind.CREDIT_NOTE, "Refunded in cash"),
        ("cheque", InvoiceKind.INVOICE, "cheque"),
    ],
)
def test_it_says_how_the_money_came_or_went(view: View, method: str, kind: InvoiceKind, said: str) -> None:
    told = view(replace(INVOICE, paid_by=method, kind=kind))
    assert said in told[told.index("Payment") :]


@VIEWS
@pytest.mark.parametrize(
    ("currency", "gross", "total"),
    [("JPY", 1234567, "1,234,567 JPY"), ("KWD", 25500, "25.500 KWD"), ("USD", 5, "0.05 USD")],
)
def test_an_amount_has_its_currency_s_decimals(view: View, currency: str, gross: int, total: str) -> None:
    told = view(replace(INVOICE, currency=currency, gross=gross, net=gross, vat=0, vat_rate_bp=0))
    assert told[told.index("Total") + 1] == total


@VIEWS
@pytest.mark.parametrize(
    ("rate_bp", "said"), [(1900, "VAT 19 %"), (550, "VAT 5.5 %"), (2105, "VAT 21.05 %"), (10000, "VAT 100 %")]
)
def test_the_rate_has_the_decimals_that_it_needs(view: View, rate_bp: int, said: str) -> None:
    told = view(replace(INVOICE, vat_rate_bp=rate_bp))
    assert said in told
    assert "No VAT is charged." not in told


@VIEWS
def test_a_rate_of_zero_is_explained(view: View) -> None:
    assert {"VAT 0 %", "No VAT is charged."} <= set(view(replace(INVOICE, net=10000, vat=0, vat_rate_bp=0)))


@VIEWS
def test_a_single_day_is_one_date_and_no_day_is_none(view: View) -> None:
    one = view(replace(INVOICE, period_until=date(2026, 12, 2)))
    assert one[one.index("Membership, Gold") :].count("1 December 2026") == 1
    for until in (None, INVOICE.period_from):
        assert not [line for line in view(replace(INVOICE, period_until=until)) if "December" in line]


@VIEWS
def test_what_is_not_known_leaves_no_gap(view: View) -> None:
    told = view(replace(INVOICE, seller=Seller("Gym", "", ""), buyer=Buyer("", "z@example.org", "")))
    assert told.count("") == 0
    assert not [line for line in told if "VAT number" in line]


@VIEWS
@pytest.mark.parametrize("name", ["Łukasz Nagyő", "Ιωάννα Παπαδοπούλου", "Щербаков Їжак", "Đỗ Thị"])
def test_names_keep_their_letters(view: View, name: str) -> None:
    assert name in view(replace(INVOICE, buyer=Buyer(name)))


def test_letters_that_the_font_lacks_are_on_the_page() -> None:
    invoice = replace(INVOICE, buyer=Buyer("山田 太郎 🏋️"))
    assert "?? ?? ?" in _texts(invoice)
    assert "山田 太郎 🏋️" in _seen(invoice)


def test_an_address_of_lines_keeps_its_commas() -> None:
    told = _seen(replace(INVOICE, seller=Seller("Gym", "Hall 3, first floor\n10115 Berlin", "")))
    assert {"Hall 3, first floor", "10115 Berlin"} <= set(told)


def test_the_same_invoice_is_the_same_file_with_its_number_and_language() -> None:
    pdf = invoice_pdf(INVOICE, readable=True)
    assert invoice_pdf(INVOICE, readable=True) == pdf
    assert b"/Title (Invoice 000042)" in pdf
    assert b"/Lang (en)" in pdf
    assert b"/CreationDate (D:20261126000000Z)" in pdf


def test_the_page_s_policy_allows_its_style_and_nothing_else() -> None:
    page = invoice_page(INVOICE)
    style = re.search("<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    assert f"style-src 'sha256-{b64encode(sha256(style[1].encode()).digest()).decode()}'" in PAGE_POLICY
    assert "<title>Invoice 000042</title>" in page
    assert "<script" not in page
    assert " style=" not in page


def _of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[InvoiceText]:
    return st.builds(
        InvoiceText,
        kind=st.sampled_from(InvoiceKind),
        number=texts,
        issued_on=st.dates(),
        seller=st.builds(Seller, texts, texts, texts),
        buyer=st.builds(Buyer, texts, texts, texts),
        description=texts,
        period_from=st.none() | st.dates(),
        period_until=st.none() | st.dates(),
        currency=st.sampled_from(["EUR", "JPY", "KWD"]),
        gross=st.integers(-(2**63), 2**63 - 1),
        net=st.integers(-(2**63), 2**63 - 1),
        vat=st.integers(-(2**63), 2**63 - 1),
        vat_rate_bp=st.integers(0, 2**31),
        paid_by=st.sampled_from(["stripe", "cash", "card_terminal"]) | texts,
        refers_to=st.none() | texts,
        reason=texts,
    )


ANYTHING = st.text(st.characters(exclude_categories=())) | st.text("W🏋️\n ,", max_size=600)
LETTERS = st.text("abłőΩЖ(\\\n ", max_size=2500)


def _is_readable(words: list[_Word]) -> bool:
    """Whether every word is on the sheet and none lies on another."""
    inside = all(word.x > 20 * MM - 1 and word.right < 190 * MM + 1 and word.y > 10 * MM for word in words)
    return inside and not any(
        one.page == two.page
        and min(one.right, two.right) > max(one.x, two.x)
        and abs(one.y - two.y) < 0.29 * max(one.size, two.size) + 0.8 * min(one.size, two.size)
        for one, two in combinations(words, 2)
    )


@settings(deadline=None, max_examples=40)
@given(invoice=_of(ANYTHING))
def test_no_text_breaks_an_invoice(invoice: InvoiceText) -> None:
    words = list(_words(invoice_pdf(invoice, readable=True)))
    assert {"Seller", "Buyer", "Total"} <= {word.text for word in words}
    assert _is_readable(words)
    invoice_page(invoice).encode()


@settings(deadline=None, max_examples=20)
@given(name=LETTERS, seller=LETTERS)
def test_nothing_is_cut_however_long_it_is(name: str, seller: str) -> None:
    invoice = replace(INVOICE, buyer=Buyer(name, "", name), seller=Seller(seller, seller, ""))
    words = list(_words(invoice_pdf(invoice, readable=True)))
    assert _is_readable(words)
    beside = "".join(word.text for word in words if word.x == BUYER_X)
    assert "".join(f"Buyer{name}{name}Payment".split()) in "".join(beside.split())


def test_names_and_addresses_of_many_lines_fit_on_one_sheet() -> None:
    invoice = replace(
        CREDIT_NOTE,
        seller=Seller("Wide Muscle " * 16, "Long Street Number Seven " * 20, "W" * 32),
        buyer=Buyer(
            "Wilhelmina " * 18, f"{'w' * 64}@{'long.' * 38}example", "Langwieser Wiesenweg 12 bei Hinterhaus, " * 6
        ),
        description=f"Membership, {'Platinum ' * 22}",
        reason="Because it rained. " * 26,
    )
    words = list(_words(invoice_pdf(invoice, readable=True)))
    assert {word.page for word in words} == {0}
    assert _is_readable(words)


def test_a_further_sheet_says_what_it_belongs_to() -> None:
    words = list(_words(invoice_pdf(replace(INVOICE, reason="It rained.\n" * 90), readable=True)))
    assert [word.page for word in words if word.text == "Continued on page 2"] == [0]
    assert [word.page for word in words if word.text == "Invoice 000042, page 2"] == [1]
    assert sum("It rained." in word.text for word in words) == 90


def test_what_people_write_stays_text() -> None:
    name = "<script>alert('&')</script>"
    page = invoice_page(
        replace(
            CREDIT_NOTE, number=name, seller=Seller(name, name, name), buyer=Buyer(name, name, name), description=name,
            currency=name, paid_by=name, refers_to=name, reason=name,
        )
    )  # fmt: skip
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#x27;&amp;&#x27;)") == 17
