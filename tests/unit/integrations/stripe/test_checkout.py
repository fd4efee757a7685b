"""What is told to Stripe about a buyer."""

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest

from domain.ids import new_id
from domain.memberships.ledger import Method
from domain.money import Money
from domain.payments.model import Order, OrderState
from domain.payments.ports import PaymentRefusedError
from integrations.settings import StripeSettings
from integrations.stripe.provider import StripePayments
from tests.loopback import serving

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDER = Order(
    new_id(), new_id(), new_id(), new_id(), "30 days", 30, Money(1000, "EUR"), 0, Method.STRIPE, OrderState.OPEN, NOW
)


class Refuses(BaseHTTPRequestHandler):
    """Keeps the form that was sent, and answers that it does not fit."""

    sent: list[dict[str, list[str]]]

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.sent.append(form)
        body = json.dumps({"error": self.error(form)}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, form: dict[str, list[str]]) -> dict[str, str]:  # noqa: ARG002 - for those who look at it
        return {"type": "invalid_request_error", "message": "no"}

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("email", "sent"), [(None, None), ("mia@example.org", ["mia@example.org"])])
def test_stripe_gets_the_address_of_a_buyer_who_has_one(email: str | None, sent: list[str] | None) -> None:
    handler: type[Refuses] = type("Keeps", (Refuses,), {"sent": []})
    with serving(handler) as port:
        stripe = StripePayments(StripeSettings(api_key="sk_test_1", api_base=f"http://127.0.0.1:{port}", retries=0))
        with pytest.raises(PaymentRefusedError):
            stripe.open_checkout(ORDER, email)
    (form,) = handler.sent
    assert form["client_reference_id"] == [str(ORDER.id)]
    assert form.get("customer_email") == sent


class RefusesAddresses(Refuses):
    """Refuses every address, as Stripe does those that break rules of its own."""

    keys: list[str]

    def do_POST(self) -> None:
        self.keys.append(self.headers["Idempotency-Key"])
        super().do_POST()

    def error(self, form: dict[str, list[str]]) -> dict[str, str]:
        about = {"code": "email_invalid", "param": "customer_email"} if "customer_email" in form else {}
        return super().error(form) | about


def test_an_address_that_stripe_refuses_keeps_nobody_from_paying() -> None:
    handler: type[RefusesAddresses] = type("Keeps", (RefusesAddresses,), {"sent": [], "keys": []})
    with serving(handler) as port:
        stripe = StripePayments(StripeSettings(api_key="sk_test_1", api_base=f"http://127.0.0.1:{port}", retries=0))
        with pytest.raises(PaymentRefusedError):
            stripe.open_checkout(ORDER, "mia@example.org")
    first, second = handler.sent
    assert first.pop("customer_email") == ["mia@example.org"]
    assert second == first
    assert len(set(handler.keys)) == 2, "a key is of one request"
