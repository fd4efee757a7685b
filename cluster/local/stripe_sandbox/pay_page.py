"""The page at which a buyer pays, fails, pays later or leaves."""

from collections.abc import Mapping
from html import escape

from cluster.local.stripe_sandbox.currencies import shown
from cluster.local.stripe_sandbox.layout import note
from cluster.local.stripe_sandbox.store import Body, Kept

_ENDED = {
    "expired": ("This session has expired. Nothing was paid, and nothing can be paid any more.", "bad"),
    "paid": ("This has been paid. It is not charged again.", "good"),
    "unpaid": ("The order is placed; the payment is on its way. It is not charged again.", "good"),
    "failed": ("The payment failed. Nothing was paid.", "bad"),
    "no_payment_required": ("The order is placed; it costs nothing.", "good"),
}


def pay_page(kept: Kept, entered: Mapping[str, str], problem: str | None) -> str:
    """The body of the page.

    Args:
        kept: the session.
        entered: what the buyer has entered, by the names of the fields.
        problem: what is wrong with it, if anything is.
    """
    session = kept.body
    parts = ["<h1>Checkout</h1>", _bought(session, kept.extra["lines"])]
    problem = problem or (kept.extra.get("error") if session["status"] == "open" else None)
    if problem:
        parts.append(note(problem, "bad"))
    if session["status"] == "open":
        parts.append(_form(session, entered))
    else:
        parts.append(_ended(session, has_failed=bool(kept.extra.get("has_failed"))))
    return "".join(parts)


def success_url(session: Body) -> str:
    """Where the buyer goes after paying."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _bought(session: Body, lines: list[Body]) -> str:
    rows = "".join(
        f"<li><span>{escape(line['description'])}{_times(line['quantity'])}</span>"
        f"<span>{shown(line['amount_total'], line['currency'])}</span></li>"
        for line in lines
    )
    total = shown(session["amount_total"], session["currency"])
    return (
        f'<section class="sheet" aria-label="What is bought"><ul class="lines">{rows}</ul>'
        f'<p class="total"><span>Total</span><span>{total}</span></p></section>'
    )


def _times(quantity: int) -> str:
    return f' <span class="soft">&times; {quantity}</span>' if quantity > 1 else ""


def _form(session: Body, entered: Mapping[str, str]) -> str:
    email = entered.get("email", session["customer_email"] or "")
    required = session["billing_address_collection"] == "required"
    total = session["amount_total"]
    pay = f"Pay {shown(total, session['currency'])}" if total else "Place the order"
    later = '<button name="action" value="later">Pay later (bank debit)</button>' if total else ""
    declined = '<button name="action" value="decline" formnovalidate>Card declined</button>' if total else ""
    cancel = '<button name="action" value="cancel" formnovalidate>Cancel</button>' if session["cancel_url"] else ""
    optional = "" if required else ' <span class="soft">(optional)</span>'
    address = (
        _field("line1", "Street and number", entered, "billing street-address", required=required)
        + '<div class="pair">'
        + _field("postal_code", "Postal code", entered, "billing postal-code", required=required)
        + _field("city", "City", entered, "billing address-level2", required=required)
        + "</div>"
        + _field("country", "Country (two letters)", entered, "billing country", required=required, length=2)
    )
    return (
        f'<form method="post" action="/pay/{escape(session["id"])}"><fieldset class="sheet">'
        f"<legend>For the invoice{optional}</legend>"
        f"{_field('email', 'E-mail', {'email': email}, 'email', kind='email', length=512)}"
        f"{_field('name', 'Name', entered, 'name', length=250)}{address}</fieldset>"
        f'<div class="stack"><button class="main" name="action" value="pay">{pay}</button>'
        f"{declined}{later}{cancel}</div></form>"
        '<p class="soft">“Pay later” completes the order with a payment that arrives, or fails, afterwards: '
        'decide it on the page of <a href="/">all payments</a>.</p>'
    )


def _field(
    name: str,
    label: str,
    entered: Mapping[str, str],
    complete: str,
    *,
    kind: str = "text",
    required: bool = False,
    length: int = 200,
) -> str:
    value = escape(entered.get(name, ""))
    need = " required" if required else ""
    return (
        f'<label>{label}<input type="{kind}" name="{name}" value="{value}" maxlength="{length}"'
        f' autocomplete="{complete}"{need}></label>'
    )


def _ended(session: Body, *, has_failed: bool) -> str:
    is_expired = session["status"] == "expired"
    text, kind = _ENDED["expired" if is_expired else "failed" if has_failed else session["payment_status"]]
    url = session["cancel_url"] if is_expired else success_url(session)
    back = f'<p><a href="{escape(url)}">Back to the shop</a></p>' if url else ""
    return note(text, kind) + back
