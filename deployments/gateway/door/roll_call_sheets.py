"""The printable roll call: a page, a table, a PDF."""

from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from domain.door.list_model import Inside, RollCall
from integrations.rendering.csv_tables import csv_table
from integrations.rendering.page_headers import ICON, page_policy
from integrations.rendering.transliteration import transliterate

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem auto;max-width:50rem;color:#111;background:#fff}
h1{font-size:1.3rem;margin:0}p{margin:.2rem 0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .5rem;border-bottom:1px solid #bbb}
th:first-child,td:first-child{width:1.5rem}
.box{display:inline-block;width:1rem;height:1rem;border:1px solid #111}
thead{display:table-header-group}tr{break-inside:avoid}
@media print{body{margin:0;max-width:none}}
"""
POLICY = page_policy(_STYLE)
_ANONYMOUS = "(counted, without a name)"
_MM = (10, 82, 40, 58)


def page(call: RollCall, as_of: datetime) -> str:
    """The roll call as a printable page with a box to tick for each person."""
    rows = "".join(
        f'<tr><td><span class="box"></span></td><td>{escape(_name(one))}</td><td>{_since(call, one)}</td>'
        f"<td>{escape(one.gate_name or '')}</td></tr>"
        for one in call.inside
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Roll call · {escape(call.gym_name)}</title>"
        f'<meta name="viewport" content="width=device-width">{ICON}<style>{_STYLE}</style></head><body>'
        f"<h1>Roll call · {escape(call.gym_name)}</h1><p>{escape(_summary(call, as_of))}</p>"
        "<table><thead><tr><th></th><th>Name</th><th>Since</th><th>Gate</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></body></html>"
    )


def table(call: RollCall) -> bytes:
    """The roll call as CSV, times in UTC."""
    rows = ([one.name, one.member_id, one.since, one.gate_name] for one in call.inside)
    return csv_table([["name", "member_id", "since", "gate"], *rows])


def sheet(call: RollCall, as_of: datetime) -> bytes:
    """The roll call as a PDF, A4. Letters that the font lacks are transliterated or replaced by `?`."""
    from fpdf import FPDF  # noqa: PLC0415 - half a second, which the start of every replica would wait for

    pdf = FPDF(format="A4")
    pdf.set_title(f"Roll call {transliterate(call.gym_name)}")
    pdf.set_auto_page_break(auto=True, margin=15)
    pdf.add_page()
    pdf.set_font("helvetica", style="B", size=15)
    pdf.cell(0, 9, transliterate(f"Roll call: {call.gym_name}"), new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("helvetica", size=10)
    pdf.cell(0, 7, transliterate(_summary(call, as_of)), new_x="LMARGIN", new_y="NEXT")
    with pdf.table(col_widths=_MM, text_align="LEFT", borders_layout="HORIZONTAL_LINES", line_height=6) as rows:
        heading = rows.row()
        for title in ("", "Name", "Since", "Gate"):
            heading.cell(title)
        for one in call.inside:
            row = rows.row()
            for cell in ("[  ]", _name(one), _since(call, one), one.gate_name or ""):
                row.cell(transliterate(cell))
    return bytes(pdf.output())


def _summary(call: RollCall, as_of: datetime) -> str:
    when = as_of.astimezone(ZoneInfo(call.time_zone))
    more = "; further ones are not listed" if call.more else ""
    return f"{len(call.inside)} of {call.capacity} inside, {when:%Y-%m-%d %H:%M:%S} {call.time_zone}{more}"


def _name(one: Inside) -> str:
    return one.name or _ANONYMOUS


def _since(call: RollCall, one: Inside) -> str:
    return f"{one.since.astimezone(ZoneInfo(call.time_zone)):%Y-%m-%d %H:%M}"
