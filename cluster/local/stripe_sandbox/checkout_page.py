"""The checkout page, where a buyer pays, has a card declined, pays later or cancels."""

from collections.abc import Mapping
from html import escape

from cluster.local.stripe_sandbox.layout import note, shown
from cluster.local.stripe_sandbox.store import Body, StripeObject

_ENDED = {
    "expired": ("This checkout has expired. Nothing was paid.", "bad"),
    "paid": ("This order is paid. It is not charged again.", "good"),
    "unpaid": ("Your order is placed and the payment is on its way. It is not charged again.", "good"),
    "failed": ("The payment failed. Nothing was paid.", "bad"),
}


def checkout_page(found: StripeObject, entered: Mapping[str, str], problem: str | None) -> str:
    """Render the body of the page.

    Args:
        found: the session.
        entered: what the buyer has entered, by field name.
        problem: what is wrong with it, if anything.
    """
    session = found.body
    rows = "".join(
        f"<li><span>{escape(line['description'])}</span>"
        f"<span>{shown(line['amount_total'], line['currency'])}</span></li>"
        for line in found.extra["lines"]
    )
    order = (
        f'<h1>Checkout</h1><section class="sheet" aria-label="Your order"><ul class="lines">{rows}</ul>'
        f'<p class="total"><span>Total</span><span>{shown(session["amount_total"], session["currency"])}</span></p>'
        "</section>"
    )
    if session["status"] != "open":
        return order + _ended(session, has_failed=bool(found.extra.get("has_failed")))
    problem = problem or found.extra.get("error")
    return order + (note(problem, "bad") if problem else "") + _form(session, entered)


def success_url(session: Body) -> str:
    """Return where the buyer goes after paying."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _form(session: Body, entered: Mapping[str, str]) -> str:
    email = entered.get("email", session["customer_email"] or "")
    cancel = '<button name="action" value="cancel" formnovalidate>Cancel</button>' if session["cancel_url"] else ""
    return (
        f'<form method="post" action="/pay/{escape(session["id"])}"><fieldset class="sheet">'
        '<legend>For the invoice <span class="soft">(optional)</span></legend>'
        f"{_field('email', 'Email', email, 'email', kind='email', length=512)}"
        f"{_field('name', 'Name', entered.get('name', ''), 'name', length=250)}"
        f"{_field('line1', 'Street and number', entered.get('line1', ''), 'billing street-address')}"
        f'<div class="pair">'
        f"{_field('postal_code', 'Postal code', entered.get('postal_code', ''), 'billing postal-code')}"
        f"{_field('city', 'City', entered.get('city', ''), 'billing address-level2')}</div>"
        f"{_field('country', 'Country (two letters)', entered.get('country', ''), 'billing country', length=2)}"
        '</fieldset><div class="stack"><button class="main" name="action" value="pay">'
        f"Pay {shown(session['amount_total'], session['currency'])}</button>"
        '<button name="action" value="decline" formnovalidate>Card declined</button>'
        f'<button name="action" value="later">Pay later (bank debit)</button>{cancel}</div></form>'
        '<p class="soft">With “Pay later” the order is placed and the payment stays on its way. '
        'Let it succeed or fail on the page of <a href="/">all payments</a>.</p>'
    )


def _field(name: str, label: str, value: str, complete: str, *, kind: str = "text", length: int = 200) -> str:
    return (
        f'<label>{label}<input type="{kind}" name="{name}" value="{escape(value)}" maxlength="{length}"'
        f' autocomplete="{complete}"></label>'
    )


def _ended(session: Body, *, has_failed: bool) -> str:
    is_expired = session["status"] == "expired"
    text, kind = _ENDED["expired" if is_expired else "failed" if has_failed else session["payment_status"]]
    url = session["cancel_url"] if is_expired else success_url(session)
    back = f'<p><a href="{escape(url)}">Back to the shop</a></p>' if url else ""
    return note(text, kind) + back
