"""What somebody sees who comes back from the checkout: a page, no script, nothing fetched."""

from base64 import b64encode
from datetime import date, timedelta
from hashlib import sha256
from html import escape

from domain.payments.model import OrderState

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0}
main{width:min(26rem,90vw);text-align:center}
.sign{font-size:3rem;line-height:1;width:5rem;height:5rem;border-radius:50%;display:grid;place-items:center;
margin:0 auto 1rem;color:#fff}
.good{background:#15803d}.wait{background:#b45309}.bad{background:#b91c1c}
h1{font-size:1.5rem;margin:.3rem 0}p{margin:.4rem 0}a{color:inherit}
"""
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_AGAIN_S = 3
_GOOD, _WAIT, _BAD = ("good", "✓"), ("wait", "…"), ("bad", "!")


def success_page(state: OrderState | None, plan_name: str | None, ends_on: date | None, home_url: str) -> str:
    """The page after paying.

    Args:
        state: of the order; None: there is no such order.
        plan_name: what was bought.
        ends_on: the first day without the membership.
    """
    plan = f" ({escape(plan_name)})" if plan_name else ""
    if state in {OrderState.PAID, OrderState.DISPUTED}:
        until = f" Your membership{plan} runs until {ends_on - timedelta(days=1)}." if ends_on else ""
        return _page(_GOOD, "Thank you, it is paid", f"The gates open for you now.{until}", home_url)
    if state is OrderState.PROCESSING:
        told = "Your bank takes some days with it. The gates open as soon as it has arrived; you can close this page."
        return _page(_WAIT, "The payment is on its way", told, home_url)
    if state is OrderState.OPEN:
        told = "We are asking whether the payment has arrived. This page looks again by itself."
        return _page(_WAIT, "One moment", told, home_url, again=True)
    if state in {OrderState.REFUNDED, OrderState.LOST, OrderState.REVERSED}:
        return _page(_BAD, "The money was given back", f"This order{plan} is closed.", home_url)
    if state in {OrderState.FAILED, OrderState.EXPIRED}:
        told = f"Nothing was paid for this order{plan}. Start again, or pay at the desk."
        return _page(_BAD, "The payment did not work", told, home_url)
    return _page(_BAD, "There is no such order", "The address is not complete, or not one of ours.", home_url)


def cancel_page(plan_name: str | None, home_url: str) -> str:
    """The page after turning back."""
    plan = f" {escape(plan_name)}" if plan_name else ""
    return _page(
        _WAIT, "Nothing was paid", f"You can buy{plan or ' a plan'} at any time, here or at the desk.", home_url
    )


def _page(sign: tuple[str, str], title: str, told: str, home_url: str, *, again: bool = False) -> str:
    look_again = f'<meta http-equiv="refresh" content="{_AGAIN_S}">' if again else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · FIT Monitor</title>{look_again}'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        f'<div class="sign {sign[0]}" aria-hidden="true">{sign[1]}</div><h1 role="status">{title}</h1><p>{told}</p>'
        f'<p><a href="{escape(home_url)}">Back</a></p></main></body></html>'
    )
