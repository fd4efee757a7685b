"""The frame and the style of all pages. There are no scripts."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from domain.money import Money
from integrations.rendering.page_headers import ICON, ICON_POLICY

STYLE_PATH = "/sandbox.css"

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --sheet: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de;
  --main: #0b57d0; --on-main: #fff; --bad: #b42318; --good: #116329; --warn: #ffd84d; --on-warn: #2b2300; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --sheet: #1e2328; --ink: #e8eaed; --soft: #a5adb6;
  --line: #3b434c; --main: #8ab4f8; --on-main: #10233f; --bad: #ff9a8f; --good: #7ee2a0; --warn: #6b5600;
  --on-warn: #fff3c4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
.sandbox { background: var(--warn); color: var(--on-warn); padding: .6rem 1rem; text-align: center; }
.sandbox a { color: inherit; }
main { max-width: 32rem; margin: 0 auto; padding: 1rem; }
main.wide { max-width: 64rem; }
h1 { font-size: 1.4rem; margin: .5rem 0; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem;
  margin: 0 0 1rem; }
.lines { list-style: none; margin: 0; padding: 0; }
.lines li, .total { display: flex; justify-content: space-between; gap: 1rem; padding: .3rem 0; }
.total { border-top: 1px solid var(--line); margin: .3rem 0 0; font-weight: 600; font-size: 1.2rem; }
.soft { color: var(--soft); } .bad { color: var(--bad); } .good { color: var(--good); }
p.note { border-left: .3rem solid currentcolor; padding: .2rem .7rem; margin: 0 0 1rem; }
label { display: block; margin: .6rem 0 0; }
input { display: block; width: 100%; font: inherit; color: inherit; background: var(--page); padding: .5rem;
  border: 1px solid var(--soft); border-radius: .4rem; }
.pair { display: grid; grid-template-columns: 1fr 2fr; gap: 0 .7rem; }
button, .button { font: inherit; padding: .55rem .9rem; border-radius: .4rem; border: 1px solid var(--soft);
  background: var(--sheet); color: var(--ink); cursor: pointer; min-height: 2.75rem; }
button.main { background: var(--main); border-color: var(--main); color: var(--on-main); font-weight: 600; }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
.stack { display: grid; gap: .6rem; margin: 1rem 0 0; }
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .5rem 0 0; }
.row form { display: flex; gap: .5rem; align-items: center; }
.row input { width: 7rem; min-height: 2.75rem; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
code { font-size: .85em; overflow-wrap: anywhere; }
.mark { border: 1px solid currentcolor; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td button { min-height: 2rem; padding: .1rem .6rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
"""

_POLICY = f"default-src 'none'; style-src 'self'; {ICON_POLICY}; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, body: str, *, status: int = 200, wide: bool = False) -> Response:
    """Create a page.

    Args:
        title: as text.
        body: of `main`, as HTML.
        status: HTTP status.
        wide: for tables; otherwise as narrow as a form.
    """
    overview = "" if wide else ' <a href="/">All payments</a>'
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: SANDBOX</title>"
        f'<link rel="stylesheet" href="{STYLE_PATH}">{ICON}</head><body>'
        f'<div class="sandbox" role="note"><strong>SANDBOX</strong>: no real money moves here.{overview}</div>'
        f"<main{' class=wide' if wide else ''}>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, _HEADERS)


async def style(_: Request) -> Response:
    """Return the style sheet."""
    return Response(STYLE, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


def note(text: str, kind: str) -> str:
    """Create a notice as HTML. `text` is plain text; `kind` is `bad` or `good`."""
    role = "alert" if kind == "bad" else "status"
    return f'<p class="note {kind}" role="{role}">{escape(text)}</p>'


def shown(amount: int, currency: str) -> str:
    """Format minor units of a currency in lower case, as in Stripe's objects: `1,234.50 EUR`."""
    return str(Money(amount, currency.upper()))
