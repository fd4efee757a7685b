"""Invoices and credit notes to keep: a PDF, and a page to be printed."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from html import escape
from typing import Any

from domain.money import Money
from domain.payments.invoices import InvoiceKind, InvoiceText
from integrations.printable import printable

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;margin:0;background:#f4f4f5;color:#18181b}
main{background:#fff;max-width:48rem;margin:2rem auto;padding:3rem;box-shadow:0 1px 4px #0002}
header{display:flex;justify-content:space-between;gap:2rem;flex-wrap:wrap}
h1{font-size:1.7rem;margin:0 0 .3rem}dl{display:grid;grid-template-columns:auto auto;gap:.1rem 1rem;margin:0}
dt{color:#52525b}dd{margin:0;font-variant-numeric:tabular-nums}
address{font-style:normal;white-space:pre-line}.to{margin:2.5rem 0}.small{color:#52525b;font-size:.85rem;margin:0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.6rem 0;border-bottom:1px solid #d4d4d8}
th:last-child,td:last-child{text-align:right;font-variant-numeric:tabular-nums}
tfoot td{border:0;padding:.25rem 0}
tfoot tr:last-child td{font-weight:700;font-size:1.15rem;border-top:2px solid #18181b}
@media print{body{background:#fff}main{box-shadow:none;margin:0;padding:0;max-width:none}}
"""
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TITLES = {InvoiceKind.INVOICE: "Invoice", InvoiceKind.CREDIT_NOTE: "Credit note"}
_PAID = {
    "stripe": "Paid by card, online",
    "cash": "Paid in cash",
    "card_terminal": "Paid by card, at the desk",
}
_GIVEN_BACK = {
    "stripe": "Given back to the card",
    "cash": "Given back in cash",
    "card_terminal": "Given back to the card",
}
_GREY, _BLACK = 90, 20
_LEFT, _WIDTH = 20.0, 170.0
_FONT = "opensans"


def invoice_page(text: InvoiceText) -> str:
    """The invoice as a page."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(text))
    sums = "".join(f"<tr><td colspan=2>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in _sums(text))
    title = _TITLES[text.kind]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} {escape(text.number)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        f"<header><div><h1>{title}</h1><dl>{facts}</dl></div>"
        f"<address><strong>{escape(text.seller.name)}</strong>\n{escape(_lines(text.seller.address))}"
        f"\n{escape(_vat_number(text))}</address></header>"
        f'<div class="to"><p class="small">To</p><address>{escape(_buyer(text))}</address></div>'
        "<table><thead><tr><th>What</th><th>Period</th><th>Gross</th></tr></thead>"
        f"<tbody><tr><td>{escape(text.description)}</td><td>{escape(_period(text) or '–')}</td>"  # noqa: RUF001 - a dash
        f"<td>{escape(_money(text, text.gross))}</td></tr></tbody><tfoot>{sums}</tfoot></table>"
        f"<p>{escape(' · '.join(_notes(text)))}</p></main></body></html>"
    )


def invoice_pdf(text: InvoiceText, *, readable: bool = False) -> bytes:
    """The invoice as a PDF, A4. Letters that the font lacks are written plainly, or as `?`; the page has them all.

    Args:
        readable: leave the text in the file as it is, for whoever looks into it.
    """
    from fpdf import FPDF  # noqa: PLC0415 - half a second, which the start of every replica would wait for

    title = _TITLES[text.kind]
    pdf = FPDF(format="A4")
    for style, weight in (("", 400), ("B", 700)):
        pdf.add_font(_FONT, style, _font_file(weight))
    pdf.set_compression(not readable)
    pdf.set_title(f"{title} {text.number}")
    pdf.set_author(_plain(text.seller.name))
    pdf.set_lang("en")
    pdf.set_margins(_LEFT, 20, _LEFT)
    pdf.set_auto_page_break(auto=True, margin=20)
    pdf.add_page()
    _head(pdf, text, title)
    pdf.ln(10)
    _small(pdf, "To")
    pdf.set_font(_FONT, size=11)
    pdf.multi_cell(110, 5.5, _plain(_buyer(text)), new_x="LMARGIN", new_y="NEXT", align="L")
    pdf.ln(10)
    _table(pdf, text)
    pdf.ln(8)
    pdf.set_font(_FONT, size=10)
    for note in _notes(text):
        pdf.multi_cell(_WIDTH, 5.5, _plain(note), new_x="LMARGIN", new_y="NEXT", align="L")
    return bytes(pdf.output())


def _head(pdf: Any, text: InvoiceText, title: str) -> None:  # noqa: ANN401 - fpdf2 is imported late
    top = pdf.get_y()
    pdf.set_font(_FONT, style="B", size=22)
    pdf.cell(80, 11, title, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(2)
    for name, value in _facts(text):
        pdf.set_font(_FONT, size=10)
        pdf.set_text_color(_GREY)
        pdf.cell(32, 5.5, name)
        pdf.set_text_color(_BLACK)
        pdf.cell(48, 5.5, _plain(value), new_x="LMARGIN", new_y="NEXT")
    below = pdf.get_y()
    pdf.set_xy(_LEFT + 90, top + 1)
    pdf.set_font(_FONT, style="B", size=11)
    pdf.multi_cell(80, 5.5, _plain(text.seller.name), align="R", new_x="LEFT", new_y="NEXT")
    pdf.set_font(_FONT, size=10)
    told = "\n".join(filter(None, [_lines(text.seller.address), _vat_number(text)]))
    if told:
        pdf.multi_cell(80, 5, _plain(told), align="R", new_x="LMARGIN", new_y="NEXT")
    pdf.set_xy(_LEFT, max(below, pdf.get_y()))


def _table(pdf: Any, text: InvoiceText) -> None:  # noqa: ANN401 - as above
    pdf.set_draw_color(190)
    pdf.set_font(_FONT, size=10)
    with pdf.table(
        col_widths=(85, 50, 35), text_align=("LEFT", "LEFT", "RIGHT"), borders_layout="HORIZONTAL_LINES", line_height=7
    ) as rows:
        for cells in (("What", "Period", "Gross"), (text.description, _period(text) or "-", _money(text, text.gross))):
            row = rows.row()
            for cell in cells:
                row.cell(_plain(cell))
    pdf.ln(3)
    sums = _sums(text)
    for number, (name, value) in enumerate(sums):
        last = number == len(sums) - 1
        pdf.set_font(_FONT, style="B" if last else "", size=12 if last else 10)
        pdf.cell(_WIDTH - 50, 7, name, align="R")
        pdf.cell(50, 7, _plain(value), align="R", new_x="LMARGIN", new_y="NEXT")


def _small(pdf: Any, word: str) -> None:  # noqa: ANN401 - as above
    pdf.set_font(_FONT, size=9)
    pdf.set_text_color(_GREY)
    pdf.cell(0, 5, word, new_x="LMARGIN", new_y="NEXT")
    pdf.set_text_color(_BLACK)


def _facts(text: InvoiceText) -> Sequence[tuple[str, str]]:
    facts = [("Number", text.number), ("Date", text.issued_on.isoformat())]
    if text.refers_to:
        facts.append(("For invoice", text.refers_to))
    return facts


def _sums(text: InvoiceText) -> Sequence[tuple[str, str]]:
    rate = f"{text.vat_rate_bp / 100:g} %"
    return [
        ("Net", _money(text, text.net)),
        (f"VAT {rate}", _money(text, text.vat)),
        ("Total", _money(text, text.gross)),
    ]


def _notes(text: InvoiceText) -> Sequence[str]:
    is_credit = text.kind is InvoiceKind.CREDIT_NOTE
    told = (_GIVEN_BACK if is_credit else _PAID).get(text.paid_by, "")
    no_vat = "No VAT is charged." if text.vat_rate_bp == 0 else ""
    return [note for note in (told and f"{told}.", no_vat, text.reason and f"Reason: {text.reason}") if note]


def _period(text: InvoiceText) -> str:
    if text.period_from is None or text.period_until is None:
        return ""
    return f"{text.period_from} to {_day_before(text.period_until)}"


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


def _buyer(text: InvoiceText) -> str:
    return "\n".join(filter(None, [text.buyer.name, _lines(text.buyer.address), text.buyer.email]))


def _vat_number(text: InvoiceText) -> str:
    return f"VAT number {text.seller.vat_number}" if text.seller.vat_number else ""


def _lines(address: str) -> str:
    return "\n".join(part.strip() for part in address.replace("\n", ",").split(",") if part.strip())


def _money(text: InvoiceText, amount: int) -> str:
    return str(Money(amount, text.currency))


def _plain(text: str) -> str:
    return "\n".join(_written(" ".join(line.split())) for line in text.split("\n")) or " "


def _written(line: str) -> str:
    letters = _letters()
    return "".join(letter if letter in letters else printable(letter) for letter in line)


@lru_cache(maxsize=1)
def _letters() -> frozenset[str]:
    """The letters of the font."""
    from fontTools.ttLib import TTFont  # noqa: PLC0415 - comes with fpdf2, and as late

    return frozenset(map(chr, TTFont(_font_file(400)).getBestCmap()))


def _font_file(weight: int) -> str:
    from ttf_opensans import opensans  # noqa: PLC0415 - as above

    return str(opensans(weight).path)
