"""What somebody sees who comes back from the checkout: a page, no script, nothing fetched, nobody named."""

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
_AGAIN_S = 5
_GOOD, _WAIT, _BAD, _BACK = (
    ("good", "M21 33l8 8 15-17"),
    ("wait", "M32 18v15l9 6"),
    ("bad", "M32 18v18M32 45v.1"),
    ("back", "M44 32H21M30 22l-10 10 10 10"),
)


def success_page(state: OrderState | None, plan_name: str | None, ends_on: date | None, home_url: str) -> str:
    """The page after paying; it looks again by itself while nothing is decided.

    Args:
        state: of the order; None: there is no such order.
        plan_name: what was bought.
        ends_on: the first day without the membership.
    """
    plan = f" ({plan_name})" if plan_name else ""
    match state:
        case OrderState.PAID:
            runs = f": your membership{plan} runs until {_day(ends_on - timedelta(days=1))}" if ends_on else plan
            return _page(_GOOD, "Thank you, it is paid", f"You are in{runs}.", home_url)
        case OrderState.PROCESSING:
            told = "It may take some days. You can close this page."
            return _page(_WAIT, "The payment is on its way", f"{told} The gates open once it has arrived.", home_url)
        case OrderState.OPEN:
            told = "We are asking whether the payment has arrived. This page looks again by itself."
            return _page(_WAIT, "One moment", told, home_url, again=True)
        case OrderState.FAILED:
            told = f"The payment{plan} did not arrive. Try again, or pay at the desk."
            return _page(_BAD, "The payment did not work", told, home_url)
        case OrderState.EXPIRED:
            told = f"Nothing was paid{plan}. Start again, or pay at the desk."
            return _page(_BAD, "The time to pay is over", told, home_url)
        case OrderState.DISPUTED:
            told = "The payer\N{RIGHT SINGLE QUOTATION MARK}s bank disputes it. Please ask at the desk."
            return _page(_WAIT, "The payment is in question", told, home_url)
        case OrderState.REFUNDED | OrderState.LOST | OrderState.REVERSED:
            return _page(_BACK, "The money went back", f"This order{plan} is closed.", home_url)
        case None:
            told = "The address is not complete, or it is not one of ours. If you have paid, ask at the desk."
            return _page(_BAD, "We do not know this order", told, home_url)


def cancel_page(plan_name: str | None, home_url: str) -> str:
    """The page after turning back."""
    told = f"You can buy {plan_name or 'a plan'} at any time, here or at the desk."
    return _page(_BACK, "Nothing was paid", told, home_url)


def _page(sign: tuple[str, str], title: str, told: str, home_url: str, *, again: bool = False) -> str:
    look_again = f'<meta http-equiv="refresh" content="{_AGAIN_S}">' if again else ""
    kind, path = sign
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · FIT Monitor</title>{look_again}'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{ICON}<style>{_STYLE}</style></head>'
        "<body><main>"
        f'<svg class="sign {kind}" viewBox="0 0 64 64" aria-hidden="true"><circle cx="32" cy="32" r="29"/>'
        f'<path d="{path}"/></svg><h1>{title}</h1><p>{escape(told)}</p>'
        f'<a href="{escape(home_url)}">Back to FIT Monitor</a></main></body></html>'
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
