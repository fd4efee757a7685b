"""The pages after a checkout. They contain no script, load nothing, and name nobody."""

from datetime import date, timedelta
from html import escape

from domain.payments.model import OrderState
from integrations.rendering.page_headers import ICON, page_policy

_STYLE = """
:root{color-scheme:light dark;--ink:#18181b;--soft:#52525b;--desk:#fff;--act:#0b6bcb;--on:#fff;
--good:#15803d;--wait:#b45309;--bad:#b91c1c}
@media (prefers-color-scheme:dark){
:root{--ink:#ececef;--soft:#a9a9b2;--desk:#111113;--act:#5aa9f5;--on:#0b0b0d;
--good:#4ade80;--wait:#fbbf24;--bad:#f87171}}
body{font:17px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0;
background:var(--desk);color:var(--ink)}
main{width:min(25rem,88vw);text-align:center;padding:1.5rem 0;overflow-wrap:anywhere}
.sign{width:4.5rem;height:4.5rem;margin:0 auto 1.25rem;fill:none;stroke-width:4;stroke-linecap:round;
stroke-linejoin:round}
.good{stroke:var(--good)}.wait{stroke:var(--wait)}.bad{stroke:var(--bad)}.back{stroke:var(--soft)}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .6rem}
p{margin:.4rem 0;color:var(--soft)}
a{display:inline-block;margin-top:1.5rem;padding:.65rem 1.6rem;border-radius:.4rem;background:var(--act);
color:var(--on);text-decoration:none}
a:hover{text-decoration:underline}a:focus-visible{outline:3px solid var(--act);outline-offset:3px}
"""
PAGE_POLICY = page_policy(_STYLE)
_RELOAD_S = 5
_GOOD, _WAIT, _BAD, _BACK = (
    ("good", "M21 33l8 8 15-17"),
    ("wait", "M32 18v15l9 6"),
    ("bad", "M32 18v18M32 45v.1"),
    ("back", "M44 32H21M30 22l-10 10 10 10"),
)


def success_page(state: OrderState | None, plan_name: str | None, ends_on: date | None, home_url: str) -> str:
    """The page after the payment. It reloads itself while the result is not known.

    Args:
        state: the state of the order; None: the order does not exist.
        plan_name: the plan that was bought.
        ends_on: the first day after the membership.
        home_url: where the link of the page leads.
    """
    plan = f" ({plan_name})" if plan_name else ""
    match state:
        case OrderState.PAID:
            text = f"Your membership{plan} runs until {_day(ends_on - timedelta(days=1))}." if ends_on else "Thank you."
            return _page(_GOOD, "Payment received", text, home_url)
        case OrderState.PROCESSING:
            text = "It can take some days. You can close this page. You can enter the gym once the payment has arrived."
            return _page(_WAIT, "Payment in progress", text, home_url)
        case OrderState.OPEN:
            text = "We are checking whether the payment has arrived. This page reloads by itself."
            return _page(_WAIT, "One moment", text, home_url, reload=True)
        case OrderState.FAILED:
            text = f"The payment{plan} did not arrive. Try again, or pay at the front desk."
            return _page(_BAD, "Payment failed", text, home_url)
        case OrderState.EXPIRED:
            text = f"You have paid nothing{plan}. Start again, or pay at the front desk."
            return _page(_BAD, "Checkout expired", text, home_url)
        case OrderState.DISPUTED:
            text = "The bank of the payer disputes the payment. Please ask at the front desk."
            return _page(_WAIT, "Payment disputed", text, home_url)
        case OrderState.REFUNDED | OrderState.LOST | OrderState.REVERSED:
            return _page(_BACK, "Payment returned", f"This order{plan} is closed.", home_url)
        case None:
            text = "The link is incomplete or wrong. If you have paid, ask at the front desk."
            return _page(_BAD, "Order not found", text, home_url)


def cancel_page(plan_name: str | None, home_url: str) -> str:
    """The page after a cancelled checkout."""
    text = f"You can buy {plan_name or 'a plan'} at any time, here or at the front desk."
    return _page(_BACK, "Checkout cancelled", text, home_url)


def _page(sign: tuple[str, str], title: str, text: str, home_url: str, *, reload: bool = False) -> str:
    refresh = f'<meta http-equiv="refresh" content="{_RELOAD_S}">' if reload else ""
    kind, path = sign
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · FIT Monitor</title>{refresh}'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{ICON}<style>{_STYLE}</style></head>'
        "<body><main>"
        f'<svg class="sign {kind}" viewBox="0 0 64 64" aria-hidden="true"><circle cx="32" cy="32" r="29"/>'
        f'<path d="{path}"/></svg><h1>{title}</h1><p>{escape(text)}</p>'
        f'<a href="{escape(home_url)}">Back to FIT Monitor</a></main></body></html>'
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
