"""Invoices and credit notes as PDF and as a page to print."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from domain.money import Money
from domain.payments.invoices import InvoiceKind, InvoiceText
from integrations.rendering.page_headers import ICON, page_policy
from integrations.rendering.transliteration import transliterate

if TYPE_CHECKING:
    from fpdf import FPDF

_STYLE = """
:root{color-scheme:light dark;--text:#18181b;--soft:#52525b;--line:#d4d4d8;--sheet:#fff;--page:#f4f4f5;--mark:#0b6bcb}
@media (prefers-color-scheme:dark){
:root{--text:#ececef;--soft:#a9a9b2;--line:#3f3f46;--sheet:#1c1c20;--page:#111113;--mark:#5aa9f5}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;margin:0;background:var(--page);color:var(--text)}
main{background:var(--sheet);max-width:50rem;margin:2rem auto;padding:3rem;box-shadow:0 1px 4px #0003;
border-radius:.4rem;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 2rem}
h1::before{content:"";display:block;width:3rem;height:.25rem;background:var(--mark);margin-bottom:1rem}
h2,dt,thead th{font-size:.82rem;line-height:1.5;font-weight:400;color:var(--soft);margin:0 0 .15rem}
.two{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem .75rem}section{padding-right:1rem}
address{font-style:normal;white-space:pre-line;unicode-bidi:plaintext;text-align:left}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:1rem .75rem;margin:2rem 0 2.5rem}
dd{margin:0}
table{border-collapse:collapse;width:100%}
th,td{text-align:right;vertical-align:top;padding:.6rem 0 .6rem 1rem;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left;padding-left:0}
.sum{white-space:nowrap;overflow-wrap:normal}
thead th{border-bottom:1px solid var(--line);padding-bottom:.3rem;white-space:nowrap}
tbody td{border-bottom:1px solid var(--line)}
tbody small{display:block;text-wrap:balance;font-size:.9rem;color:var(--soft)}
tfoot th,tfoot th:first-child{font-weight:400;text-align:right}
tfoot th,tfoot td{padding-top:.3rem;padding-bottom:.3rem}
tfoot tr:first-child>*{padding-top:.8rem}
tfoot tr:last-child>*{font-size:1.2rem;font-weight:700}
.note{margin:.4rem 0 0;white-space:pre-line;unicode-bidi:plaintext;text-align:left}
table+.note{margin-top:2rem}
@media (max-width:36rem){main{margin:0;padding:1.5rem 1.25rem;border-radius:0;min-height:100vh}
.two{grid-template-columns:1fr}}
@page{margin:18mm}
@media print{:root{color-scheme:light;--text:#000;--soft:#444;--line:#bbb;--sheet:#fff;--page:#fff;--mark:#0b6bcb}
main{box-shadow:none;margin:0;padding:0;max-width:none;min-height:0}.two{grid-template-columns:1fr 1fr}
h1::before{print-color-adjust:exact}tr,section{break-inside:avoid}}
"""
PAGE_POLICY = page_policy(_STYLE)
_TITLES = {InvoiceKind.INVOICE: "Invoice", InvoiceKind.CREDIT_NOTE: "Credit note"}
_PAID = {
    "stripe": "Paid by card, online",
    "cash": "Paid in cash",
    "card_terminal": "Paid by card, at reception",
}
_REFUNDED = {
    "stripe": "Refunded to the card",
    "cash": "Refunded in cash",
    "card_terminal": "Refunded to the card",
}
_FONT = "opensans"
_MM_PER_PT = 25.4 / 72
_LEFT, _TOP, _WIDTH, _BOTTOM = 20.0, 20.0, 170.0, 278.0
_HALF, _GAP = 80.0, 10.0
_SUM_WIDTH, _QUANTITY_WIDTH = 45.0, 25.0
_MAX_TITLE_LENGTH = 60  # on further pages


class _TextStyle(NamedTuple):
    """Font size, weight and grey level (0: black)."""

    points: float
    weight: Literal["", "B"] = ""
    grey: int = 25


_TITLE, _STRONG, _TEXT = _TextStyle(22, "B"), _TextStyle(10, "B"), _TextStyle(10)
_SMALL, _TOTAL = _TextStyle(8.5, grey=95), _TextStyle(12, "B")


class _Column(NamedTuple):
    """A column of texts; x and width in mm."""

    x: float
    width: float
    parts: Sequence[tuple[_TextStyle, str]]
    align: Literal["L", "R"] = "L"


def invoice_page(text: InvoiceText) -> str:
    """The invoice as an HTML page for screen and print."""
    title = _safe(_title(text))
    seller, buyer = (
        f"<section><h2>{role}</h2><address><strong>{_safe(name)}</strong>\n{_safe(rest)}</address></section>"
        for role, name, rest in _parties(text)
    )
    facts = "".join(f"<div><dt>{name}</dt><dd>{_safe(value)}</dd></div>" for name, value in _facts(text))
    period = f"<small>{_period(text)}</small>" if _period(text) else ""
    sums = "".join(
        f'<tr><th scope="row" colspan="2">{name}</th><td class="sum">{_safe(value)}</td></tr>'
        for name, value in _sums(text)
    )
    notes = "".join(f'<p class="note">{_safe(note)}</p>' for note in _notes(text))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{ICON}<style>{_STYLE}</style></head>'
        "<body><main>"
        f'<h1>{title}</h1><div class="two">{seller}{buyer}</div><dl class="facts">{facts}</dl>'
        '<table><thead><tr><th scope="col">Description</th><th scope="col">Quantity</th>'
        f'<th scope="col">Net price</th></tr></thead><tbody><tr><td>{_safe(text.description)}{period}</td><td>1</td>'
        f'<td class="sum">{_safe(_money(text, text.net))}</td></tr></tbody><tfoot>{sums}</tfoot></table>'
        f"{notes}</main></body></html>"
    )


def invoice_pdf(text: InvoiceText, *, readable: bool = False) -> bytes:
    """The invoice as a PDF in A4, with more pages if necessary. The same invoice gives the same file.

    Characters that the font lacks are simplified or become `?`; the HTML page shows all of them.

    Args:
        readable: do not compress, so that the text can be read in the file.
    """
    from fpdf import FPDF  # noqa: PLC0415 - takes half a second, which would delay the start of every replica

    pdf = FPDF(format="A4")
    for style, weight in (("", 400), ("B", 700)):
        pdf.add_font(_FONT, style, _font_file(weight))
    pdf.set_compression(not readable)
    pdf.set_creation_date(datetime.combine(text.issued_on, time(), UTC))
    pdf.set_title(_printable(_title(text)))
    pdf.set_author(_printable(text.seller.name))
    pdf.set_lang("en")
    pdf.set_auto_page_break(auto=False)
    pdf.c_margin = 0
    pdf.add_page()
    _Sheet(pdf, text).write()
    return bytes(pdf.output())


class _Sheet:
    """Writes an invoice from top to bottom over one or more pages."""

    def __init__(self, pdf: "FPDF", text: InvoiceText) -> None:
        self._pdf, self._text, self._y = pdf, text, _TOP

    def write(self) -> None:
        """Write everything."""
        text = self._text
        self._pdf.set_fill_color(11, 107, 203)
        self._pdf.rect(_LEFT, self._y, 16, 1.2, style="F")
        self._y += 5
        self._row(_Column(_LEFT, _WIDTH, [(_TITLE, _title(text))]))
        self._y += 9
        halves = (_LEFT, _LEFT + _HALF + _GAP)
        self._row(
            *(
                _Column(x, _HALF, [(_SMALL, role), (_STRONG, name), (_TEXT, rest)])
                for x, (role, name, rest) in zip(halves, _parties(text), strict=True)
            )
        )
        self._y += 9
        quarter = (_HALF + _GAP) / 2
        self._row(
            *(
                _Column(_LEFT + number * quarter, quarter - 2, [(_SMALL, name), (_TEXT, value)])
                for number, (name, value) in enumerate(_facts(text))
            )
        )
        self._y += 11
        self._table()
        self._y += 9
        for note in _notes(text):
            self._row(_Column(_LEFT, _WIDTH, [(_TEXT, note)]))
            self._y += 1.5

    def _table(self) -> None:
        text, right = self._text, _LEFT + _WIDTH - _SUM_WIDTH
        width = _WIDTH - _SUM_WIDTH - _QUANTITY_WIDTH
        for style, what, more, quantity, price in (
            (_SMALL, "Description", "", "Quantity", "Net price"),
            (_TEXT, text.description, _period(text), "1", _money(text, text.net)),
        ):
            self._row(
                _Column(_LEFT, width - _GAP, [(style, what), (_SMALL, more)]),
                _Column(_LEFT + width, _QUANTITY_WIDTH, [(style, quantity)], "R"),
                _Column(right, _SUM_WIDTH, [(style, price)], "R"),
            )
            self._rule()
        *parts, total = _sums(text)
        for style, (name, value) in [*((_TEXT, part) for part in parts), (_TOTAL, total)]:
            self._row(
                _Column(_LEFT, _WIDTH - _SUM_WIDTH, [(style, name)], "R"),
                _Column(right, _SUM_WIDTH, [(style, value)], "R"),
            )
            self._y += 1

    def _row(self, *columns: _Column) -> None:
        """Write columns side by side; start a new page where necessary."""
        columns_lines = [self._lines(column) for column in columns]
        for number in range(max(map(len, columns_lines))):
            line = [
                (column, *lines[number])
                for column, lines in zip(columns, columns_lines, strict=True)
                if number < len(lines)
            ]
            height = max(style.points for _, style, _ in line) * _MM_PER_PT * 1.4
            if self._y + height > _BOTTOM:
                self._start_page()
            for column, style, line_text in line:
                self._cell(column.x, self._y, column.width, height, style, line_text, column.align)
            self._y += height

    def _lines(self, column: _Column) -> list[tuple[_TextStyle, str]]:
        lines: list[tuple[_TextStyle, str]] = []
        for style, part in column.parts:
            self._pdf.set_font(_FONT, style.weight, style.points)
            if line_text := _printable(part):
                broken = self._pdf.multi_cell(column.width, text=line_text, dry_run=True, output="LINES", align="L")
                lines += ((style, line) for line in cast("list[str]", broken))
        return lines

    def _cell(
        self, x: float, y: float, width: float, height: float, style: _TextStyle, line_text: str, align: str
    ) -> None:
        self._pdf.set_font(_FONT, style.weight, style.points)
        self._pdf.set_text_color(style.grey)
        self._pdf.set_xy(x, y)
        self._pdf.cell(width, height, line_text, align=align)

    def _rule(self) -> None:
        self._pdf.set_draw_color(200)
        self._pdf.set_line_width(0.2)
        self._pdf.line(_LEFT, self._y + 1.5, _LEFT + _WIDTH, self._y + 1.5)
        self._y += 3.5

    def _start_page(self) -> None:
        page = self._pdf.page_no() + 1
        self._cell(_LEFT, _BOTTOM + 5, _WIDTH, 5, _SMALL, f"Continued on page {page}", "R")
        self._pdf.add_page()
        title = _printable(_title(self._text))
        short = title if len(title) <= _MAX_TITLE_LENGTH else f"{title[:_MAX_TITLE_LENGTH]}\N{HORIZONTAL ELLIPSIS}"
        self._cell(_LEFT, _TOP - 8, _WIDTH, 5, _SMALL, f"{short}, page {page}", "L")
        self._y = _TOP


def _title(text: InvoiceText) -> str:
    return f"{_TITLES[text.kind]} {text.number}"


def _parties(text: InvoiceText) -> Sequence[tuple[str, str, str]]:
    """Role, name and further data of both parties."""
    seller, buyer = text.seller, text.buyer
    vat_number = f"VAT number {seller.vat_number}" if seller.vat_number else ""
    return [
        ("Seller", seller.name, "\n".join(filter(None, [_address(seller.address), vat_number]))),
        ("Buyer", buyer.name, "\n".join(filter(None, [_address(buyer.address), buyer.email]))),
    ]


def _facts(text: InvoiceText) -> Sequence[tuple[str, str]]:
    paid = _REFUNDED if text.kind is InvoiceKind.CREDIT_NOTE else _PAID
    facts = [
        ("Number", text.number),
        ("Date of issue", _day(text.issued_on)),
        ("Payment", paid.get(text.paid_by, text.paid_by)),
    ]
    return [*facts, ("Refers to invoice", text.refers_to)] if text.refers_to else facts


def _sums(text: InvoiceText) -> Sequence[tuple[str, str]]:
    rate = f"{Decimal(text.vat_rate_bp).scaleb(-2).normalize():f}"
    return [
        ("Net", _money(text, text.net)),
        (f"VAT {rate} %", _money(text, text.vat)),
        ("Total", _money(text, text.gross)),
    ]


def _notes(text: InvoiceText) -> Sequence[str]:
    no_vat = "No VAT is charged." if text.vat_rate_bp == 0 else ""
    return [note for note in (no_vat, text.reason and f"Reason: {text.reason}") if note]


def _period(text: InvoiceText) -> str:
    """The period of service, including the last day; empty if there is none."""
    first, until = text.period_from, text.period_until
    if first is None or until is None or until <= first:
        return ""
    last = until - timedelta(days=1)
    return _day(first) if first == last else f"{_day(first)} \N{EN DASH} {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _address(address: str) -> str:
    lines = address.split(",") if len(address.splitlines()) <= 1 else address.splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())


def _money(text: InvoiceText, amount: int) -> str:
    return str(Money(amount, text.currency)).replace("-", "\N{MINUS SIGN}")


def _safe(text: str) -> str:
    return escape(text.encode("utf-8", "replace").decode())


def _printable(text: str) -> str:
    """Lines in characters that the font has, without empty ones."""
    lines = (_transliterated(" ".join(line.split())) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _transliterated(line: str) -> str:
    characters = _font_characters()
    composed = unicodedata.normalize("NFC", line)
    return "".join(character if character in characters else transliterate(character) for character in composed)


@lru_cache(maxsize=1)
def _font_characters() -> frozenset[str]:
    """The characters of the font."""
    from fontTools.ttLib import TTFont  # noqa: PLC0415 - imported by fpdf2, therefore as late

    with TTFont(_font_file(400)) as font:
        return frozenset(each for each in map(chr, font.getBestCmap()) if each.isprintable())


def _font_file(weight: int) -> str:
    from ttf_opensans import opensans  # noqa: PLC0415 - as above

    return str(opensans(weight).path)
