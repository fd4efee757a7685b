"""A checkout session's parameters, checked as Stripe checks them."""

from typing import Any

from cluster.local.stripe_sandbox.errors import invalid
from cluster.local.stripe_sandbox.store import Json
from domain.money import smallest_step

_KNOWN = {
    *("mode", "line_items", "client_reference_id", "metadata", "payment_intent_data", "success_url", "cancel_url"),
    *("customer_email", "expires_at", "billing_address_collection", "locale", "expand", "payment_method_types"),
}
_SOONEST_S, _LATEST_S = 30 * 60, 24 * 3600
_SLACK_S = 5
_LARGEST = 99_999_999


def read_session(params: Json, session_id: str, now: int, url: str) -> Json:
    """A new session.

    Raises:
        StripeRefusal: as Stripe would.
    """
    for name in params:
        if name not in _KNOWN:
            raise invalid(name, f"Received unknown parameter: {name}", "parameter_unknown")
    if params.get("mode") != "payment":
        raise invalid("mode", "Invalid mode: the sandbox knows `payment` alone.")
    for name in ("success_url", "cancel_url"):
        if not str(params.get(name) or "").startswith(("http://", "https://")):
            raise invalid(name, "Not a valid URL", "url_invalid")
    total, currency, items = _items(params.get("line_items"))
    expires_at = _whole(params.get("expires_at") or now + _LATEST_S, "expires_at")
    if not now + _SOONEST_S - _SLACK_S <= expires_at <= now + _LATEST_S + _SLACK_S:
        raise invalid("expires_at", "The `expires_at` timestamp must be from 30 minutes to 24 hours from now.")
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": params["cancel_url"],
        "client_reference_id": params.get("client_reference_id"),
        "created": now,
        "currency": currency,
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "expires_at": expires_at,
        "livemode": False,
        "metadata": params.get("metadata") or {},
        "mode": "payment",
        "payment_intent": None,
        "payment_status": "unpaid",
        "status": "open",
        "success_url": params["success_url"],
        "url": url,
        "_items": items,
        "_payment_intent_data": params.get("payment_intent_data") or {},
    }


def _items(told: Any) -> tuple[int, str, list[Json]]:  # noqa: ANN401 - a parameter as it came
    if not isinstance(told, list) or not told:
        raise invalid("line_items", "Missing required param: line_items.", "parameter_missing")
    total, currencies, items = 0, set(), []
    for number, item in enumerate(told):
        price = item.get("price_data") if isinstance(item, dict) else None
        if not isinstance(price, dict):
            raise invalid(f"line_items[{number}][price_data]", "The sandbox sells by price_data alone.")
        amount = _whole(price.get("unit_amount"), f"line_items[{number}][price_data][unit_amount]")
        quantity = _whole(item.get("quantity"), f"line_items[{number}][quantity]")
        currency = str(price.get("currency") or "").lower()
        if len(currency) != 3 or not currency.isalpha():  # noqa: PLR2004 - ISO 4217
            raise invalid(f"line_items[{number}][price_data][currency]", f"Invalid currency: {currency}.")
        if amount % smallest_step(currency.upper()):
            raise invalid(f"line_items[{number}][price_data][unit_amount]", "Amounts in this currency end in 0.")
        currencies.add(currency)
        total += amount * quantity
        items.append({"name": str((price.get("product_data") or {}).get("name") or "?"), "amount": amount * quantity})
    if len(currencies) > 1:
        raise invalid("line_items", "All line items must have the same currency.")
    if not 0 < total <= _LARGEST:
        raise invalid("line_items", "The total amount is too small or too large.", "amount_too_large")
    return total, currencies.pop(), items


def _whole(value: Any, param: str) -> int:  # noqa: ANN401 - a parameter as it came
    if not str(value).isdigit():
        raise invalid(param, f"Invalid integer: {value}", "parameter_invalid_integer")
    return int(value)
