"""Events as Stripe lists them."""

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from structlog.testing import capture_logs

from domain.ids import new_id
from integrations.settings import StripeSettings
from integrations.stripe.provider import StripePayments
from tests.loopback import serving

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDER_ID = new_id()


def event(number: int, about: object) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "object": "event",
        "type": "refund.created",
        "created": 1_772_452_800,
        "data": {"object": about},
    }


class Lists(BaseHTTPRequestHandler):
    """A Stripe with three events, the newest first, of which one is about nothing that can be named."""

    def do_GET(self) -> None:
        expanded = {"id": "pi_1", "object": "payment_intent"}
        events = [
            event(3, {"id": "re_3", "object": "refund", "payment_intent": expanded}),
            event(2, {"id": "x" * 256, "object": "refund"}),
            event(1, {"id": "re_1", "object": "refund", "metadata": {"order_id": str(ORDER_ID)}}),
        ]
        body = json.dumps({"object": "list", "data": events, "has_more": False, "url": "/v1/events"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_listed_events_come_in_their_order_and_one_that_cannot_be_read_holds_up_no_other() -> None:
    with serving(Lists) as port, capture_logs() as logged:
        stripe = StripePayments(StripeSettings(api_key="sk_test_1", api_base=f"http://127.0.0.1:{port}", retries=0))
        found = stripe.happened_since(NOW)
    assert [(one.id, one.order_id, one.payment_intent_id) for one in found] == [
        *(("evt_1", ORDER_ID, None), ("evt_3", None, "pi_1"))
    ]
    assert [(line["event"], line["event_id"]) for line in logged] == [("stripe_event_unreadable", "evt_2")]
