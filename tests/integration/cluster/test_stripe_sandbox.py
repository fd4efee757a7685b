"""The sandbox as a process, called by Stripe's own SDK, with a receiver of its webhooks.

Its rules are tested in `tests/unit/cluster/local/stripe_sandbox`; here each call is made once.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Lock
from typing import Any

import httpx
import pytest
import stripe
from pydantic import SecretStr

from cluster.local.http_probe import probe
from cluster.local.ports import free_port
from cluster.local.stripe_sandbox.__main__ import serve
from cluster.local.stripe_sandbox.process import StripeSandbox
from integrations.settings import StripeSettings
from integrations.stripe.provider import StripePayments
from tests.forked import LoggedProcess
from tests.loopback import serving
from tests.waiting import wait_until
from tests.web_pages import assert_keeps_policy

LIVE = "sk_" + "live_abc123"
EXPAND: Any = {"expand": ["payment_intent.latest_charge"]}


class Mailbox:
    """The webhooks that have arrived, and how they are answered."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.answer: Callable[[int], int] = lambda _number: 200
        self._lock = Lock()

    def take(self, body: bytes, signature: str) -> int:
        with self._lock:
            self.got.append((body, signature))
            number = len(self.got)
        return self.answer(number)

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.got]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        mailbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json; charset=utf-8"
                self.send_response(mailbox.take(body, self.headers["Stripe-Signature"]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        return Handler


class RunningSandbox:
    """A running sandbox, its client, and its controls."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self.base = told["FITMONITOR_STRIPE__API_BASE"]
        self.secret = told["FITMONITOR_STRIPE__WEBHOOK_SECRET"]
        self.key = told["FITMONITOR_STRIPE__API_KEY"]
        self.client = self.sdk()

    def sdk(self, key: str = "", **more: Any) -> stripe.StripeClient:  # noqa: ANN401 - the SDK's own options
        http = stripe.RequestsClient(timeout=20)
        return stripe.StripeClient(key or self.key, base_addresses={"api": self.base}, http_client=http, **more)

    def control(self, path: str, method: str = "POST", **sent: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        answer = httpx.request(method, f"{self.base}/_sandbox/{path}", json=sent, timeout=40)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def sell(self, key: str = "", **instead: Any) -> Any:  # noqa: ANN401 - Stripe's objects are read field by field
        options: Any = {"idempotency_key": key} if key else {}
        return self.client.v1.checkout.sessions.create(order(**instead), options)

    def paid(self) -> str:
        """The payment intent of a session that was paid."""
        return str(self.control(f"sessions/{self.sell().id}/pay")["payment_intent"])

    def flush(self) -> dict[str, Any]:
        return self.control("webhooks/flush")


def order(**instead: Any) -> Any:  # noqa: ANN401 - as above
    price = {"currency": "eur", "unit_amount": 1000, "product_data": {"name": "30 days"}}
    own = {"order_id": "order-1"}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": "order-1",
        "metadata": own,
        "payment_intent_data": {"metadata": own},
        "success_url": "http://127.0.0.1:1/done?id={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:1/left",
        **instead,
    }


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with serving(box.handler()) as port:
        yield box, port


@pytest.fixture
def box(mailbox: tuple[Mailbox, int]) -> Mailbox:
    return mailbox[0]


@pytest.fixture
def server(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> StripeSandbox:
    """The sandbox of a stack, not started."""
    url = f"http://127.0.0.1:{mailbox[1]}/hook"
    return StripeSandbox(tmp_path / "sandbox.log", tmp_path / "sandbox", free_port(), url)


@pytest.fixture
def process(tmp_path: Path, mailbox: tuple[Mailbox, int], server: StripeSandbox) -> Iterator[LoggedProcess]:
    """The same as a forked process, because its imports would take longer than these tests."""
    told = server.environment()
    port = int(told["FITMONITOR_STRIPE__API_BASE"].rpartition(":")[2])
    environment = {**told, "FITMONITOR_STRIPE__WEBHOOK_URL": f"http://127.0.0.1:{mailbox[1]}/hook"}
    process = LoggedProcess(tmp_path / "sandbox.log", serve, port, tmp_path / "sandbox", environment)
    try:
        wait_until(lambda: probe(f"{told['FITMONITOR_STRIPE__API_BASE']}/_sandbox/health", 2)[0] == 200)
        yield process
    finally:
        process.kill()
        log = (tmp_path / "sandbox.log").read_text(encoding="utf-8")
        assert told["FITMONITOR_STRIPE__API_KEY"] not in log
        assert "Traceback" not in log


@pytest.fixture
def sandbox(server: StripeSandbox, process: LoggedProcess) -> RunningSandbox:  # noqa: ARG001 - it runs
    return RunningSandbox(server.environment())


def test_a_session_is_sold_paid_refunded_and_disputed(sandbox: RunningSandbox, box: Mailbox) -> None:
    client = sandbox.client
    session = sandbox.sell(customer_email="ada@example.org")
    assert (session.status, session.payment_status, session.amount_total, session.livemode) == (
        "open",
        "unpaid",
        1000,
        False,
    )
    assert session.url == f"{sandbox.base}/pay/{session.id}"
    sandbox.control(f"sessions/{session.id}/pay", name="Ada", address={"line1": "1 Way", "country": "AT"})
    paid = client.v1.checkout.sessions.retrieve(session.id, EXPAND)
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.customer_details is not None
    assert (paid.customer_details.name, paid.customer_details.email) == ("Ada", "ada@example.org")
    intent: Any = paid.payment_intent
    assert (intent.status, intent.metadata["order_id"]) == ("succeeded", "order-1")
    assert (intent.latest_charge.amount_captured, intent.latest_charge.disputed) == (1000, False)

    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 400, "metadata": {"refund_id": "r1"}})
    assert (refund.status, refund.amount) == ("succeeded", 400)
    assert [one.id for one in client.v1.refunds.list({"payment_intent": intent.id}).auto_paging_iter()] == [refund.id]
    dispute = sandbox.control(f"payment-intents/{intent.id}/dispute")
    sandbox.control(f"disputes/{dispute['id']}/close", status="lost")
    disputes = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert [(one.id, one.status) for one in disputes] == [(dispute["id"], "lost")]
    refunded: Any = client.v1.checkout.sessions.retrieve(session.id, EXPAND)
    charge = refunded.payment_intent.latest_charge
    assert (charge.amount_refunded, charge.refunded, charge.disputed) == (400, False, True)

    assert sandbox.flush()["empty"]
    expected = ["checkout.session.completed", "refund.created", "charge.refunded", "charge.dispute.created"]
    expected += ["charge.dispute.funds_withdrawn", "charge.dispute.closed"]
    assert sorted(box.types) == sorted(expected)
    listed = {event.id: event.type for event in client.v1.events.list({"limit": 5}).auto_paging_iter()}
    assert [kind for kind in listed.values() if kind in expected] == expected[::-1]
    for body, signature in box.got:
        event = stripe.Webhook.construct_event(body, signature, sandbox.secret)
        assert event.api_version == stripe.api_version
        assert listed[event.id] == event.type
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", signature, sandbox.secret)


def test_errors_are_those_of_stripe(sandbox: RunningSandbox) -> None:
    client = sandbox.client
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        sandbox.sell(colour="red")
    assert (unknown.value.code, unknown.value.param, unknown.value.http_status) == ("parameter_unknown", "colour", 400)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.checkout.sessions.retrieve("cs_test_none")
    assert (missing.value.code, missing.value.http_status) == ("resource_missing", 404)
    assert missing.value.request_id is not None
    with pytest.raises(stripe.AuthenticationError):
        sandbox.sdk("sk_test_other").v1.refunds.list()
    with pytest.raises(stripe.AuthenticationError) as live:
        sandbox.sdk(LIVE).v1.refunds.list()
    assert "abc123" not in str(live.value)
    intent_id = sandbox.paid()
    client.v1.refunds.create({"payment_intent": intent_id})
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"payment_intent": intent_id})
    assert again.value.code == "charge_already_refunded"
    with pytest.raises(stripe.InvalidRequestError) as expanded:
        client.v1.checkout.sessions.retrieve("cs_test_none", {"expand": ["colour"]})
    assert expanded.value.param == "expand[0]"
    answer = httpx.get(
        f"{sandbox.base}/v1/balance", headers={"Authorization": f"Bearer {sandbox.key}", "Stripe-Version": "x"}
    )
    assert (answer.status_code, answer.headers["Stripe-Version"]) == (404, "x")
    assert answer.headers["Request-Id"].startswith("req_")


def test_a_live_key_in_any_part_of_a_request_is_refused(sandbox: RunningSandbox) -> None:
    own = {"Authorization": f"Bearer {sandbox.key}"}
    for answer in (
        httpx.post(f"{sandbox.base}/v1/refunds", headers=own, data={"metadata[a]": LIVE}),
        httpx.get(f"{sandbox.base}/v1/refunds", headers=own, params={"payment_intent": LIVE}),
        httpx.post(f"{sandbox.base}/_sandbox/sessions/x/pay", json={"name": LIVE}),
        httpx.get(f"{sandbox.base}/", headers={"X-Other": LIVE}),
    ):
        assert answer.status_code == 401
        assert "abc123" not in answer.text


def test_concurrent_calls_with_one_key_create_one_session(sandbox: RunningSandbox) -> None:
    def create(_: int) -> str:
        answer = sandbox.sdk(max_network_retries=5).v1.checkout.sessions.create(order(), {"idempotency_key": "order-1"})
        return answer.id

    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(create, range(50)))) == 1
    assert len(sandbox.client.v1.checkout.sessions.list().data) == 1
    assert sandbox.control("calls", "GET") == {"GET /v1/checkout/sessions": 1, "POST /v1/checkout/sessions": 50}
    sandbox.control("calls", "DELETE")
    assert sandbox.control("calls", "GET") == {}


def test_idempotency_keys_work_as_at_stripe(sandbox: RunningSandbox) -> None:
    first, again = sandbox.sell("k1"), sandbox.sell("k1")
    assert first.id == again.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        sandbox.sell("k1", client_reference_id="order-2")
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        sandbox.client.v1.refunds.create({"payment_intent": "pi_1"}, {"idempotency_key": "k1"})
    # A call whose parameters are wrong is not saved; a call that fails later is.
    with pytest.raises(stripe.InvalidRequestError):
        sandbox.sell("k2", mode="nonsense")
    assert sandbox.sell("k2").id
    intent_id = sandbox.paid()
    refund: Any = {"payment_intent": intent_id, "amount": 5000}
    for replayed in (None, "true"):
        with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as error:
            sandbox.client.v1.refunds.create(refund, {"idempotency_key": "k3"})
        assert (error.value.headers or {}).get("Idempotent-Replayed") == replayed


def test_a_key_that_is_in_use_is_refused(sandbox: RunningSandbox, process: LoggedProcess) -> None:
    sandbox.control("faults", "PUT", hang_s=3600, next=1)
    client = sandbox.sdk(max_network_retries=0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.v1.checkout.sessions.create, order(), {"idempotency_key": "k"})
        wait_until(lambda: bool(sandbox.control("calls", "GET")))
        with pytest.raises(stripe.APIError) as error:
            client.v1.checkout.sessions.create(order(), {"idempotency_key": "k"})
        process.stop()
        with pytest.raises(stripe.APIConnectionError):
            slow.result()
    assert (error.value.http_status, error.value.code) == (409, None)
    body: Any = error.value.json_body
    assert body["error"]["code"] == "idempotency_key_in_use"


def test_a_hanging_call_continues_when_the_fault_ends(sandbox: RunningSandbox) -> None:
    sandbox.control("faults", "PUT", hang_s=3600)
    client = sandbox.sdk(max_network_retries=0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.v1.checkout.sessions.create, order(), {"idempotency_key": "k"})
        wait_until(lambda: bool(sandbox.control("calls", "GET")))
        sandbox.control("faults", "PUT")
        assert slow.result().id == client.v1.checkout.sessions.create(order(), {"idempotency_key": "k"}).id


def test_a_call_that_fails_has_done_nothing(sandbox: RunningSandbox) -> None:
    for status in (429, 500, 503):
        sandbox.control("faults", "PUT", status=status, next=1)
        with pytest.raises(stripe.StripeError) as error:
            sandbox.sdk(max_network_retries=0).v1.checkout.sessions.create(order(), {"idempotency_key": f"k{status}"})
        assert error.value.http_status == status
        assert isinstance(error.value, stripe.RateLimitError) == (status == 429)
    assert sandbox.client.v1.checkout.sessions.list().data == []
    assert sandbox.sell("k503").id


def test_a_lost_response_leaves_the_call_done(sandbox: RunningSandbox) -> None:
    sandbox.control("faults", "PUT", after=True, next=1)
    with pytest.raises(stripe.APIConnectionError):
        sandbox.sdk(max_network_retries=0).v1.checkout.sessions.create(order(), {"idempotency_key": "k"})
    made = sandbox.client.v1.checkout.sessions.list().data
    again = sandbox.sell("k")
    assert [session.id for session in made] == [again.id]
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    sandbox.control("faults", "PUT", after=True)
    assert sandbox.control("health", "GET") == {"status": "ok"}
    sandbox.control("faults", "PUT")
    assert sandbox.sell("k").id == again.id


def test_a_bank_debit_succeeds_or_fails(sandbox: RunningSandbox, box: Mailbox) -> None:
    for verb, kind, status in (
        ("succeed", "succeeded", "succeeded"),
        ("payment-failed", "failed", "requires_payment_method"),
    ):
        session = sandbox.sell()
        sandbox.control(f"sessions/{session.id}/pay-later")
        assert sandbox.client.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
        sandbox.control(f"sessions/{session.id}/{verb}")
        intent: Any = sandbox.client.v1.checkout.sessions.retrieve(
            session.id, {"expand": ["payment_intent"]}
        ).payment_intent
        assert intent.status == status
        sandbox.flush()
        assert sorted(box.types[-2:]) == [f"checkout.session.async_payment_{kind}", "checkout.session.completed"]


def test_a_session_is_expired_by_its_seller(sandbox: RunningSandbox, box: Mailbox) -> None:
    session = sandbox.sell()
    assert sandbox.client.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="Only Checkout Sessions"):
        sandbox.client.v1.checkout.sessions.expire(session.id)
    sandbox.flush()
    assert box.types == ["checkout.session.expired"]


def test_a_checkout_is_closed_unless_it_is_paid(sandbox: RunningSandbox) -> None:
    ours = StripePayments(StripeSettings(api_key=SecretStr(sandbox.key), api_base=sandbox.base))
    unpaid, paid = sandbox.sell(), sandbox.sell()
    sandbox.control(f"sessions/{paid.id}/pay")
    for _ in range(2):
        closed = ours.close_checkout(unpaid.id)
        assert (closed.is_over, closed.is_paid) == (True, False)
        closed = ours.close_checkout(paid.id)
        assert (closed.is_over, closed.is_paid) == (False, True)
        assert closed.charge_id


def test_a_webhook_that_is_not_accepted_is_repeated(sandbox: RunningSandbox, box: Mailbox) -> None:
    sandbox.control("switches", "PUT", retry_s=0.1)
    box.answer = lambda number: 200 if number > 3 else 503
    sandbox.paid()
    counts = sandbox.flush()
    assert (counts["delivered"], counts["attempts"]) == (1, 4)
    assert len({json.loads(body)["id"] for body, _ in box.got}) == 1
    (delivery,) = sandbox.control("webhooks", "GET")["deliveries"]
    assert (delivery["state"], delivery["answer"], delivery["type"]) == (
        "delivered",
        "200",
        "checkout.session.completed",
    )


def test_a_slow_webhook_does_not_delay_others(sandbox: RunningSandbox, box: Mailbox) -> None:
    released = Event()

    def slow_at_first(number: int) -> int:
        if number == 1:
            released.wait(60)
        return 200

    box.answer = slow_at_first
    sandbox.paid()
    wait_until(lambda: len(box.got) == 1)
    try:
        sandbox.paid()
        wait_until(lambda: len(box.got) == 2)
    finally:
        released.set()
    assert sandbox.flush()["delivered"] == 2


def test_webhooks_are_repeated_reordered_dropped_delayed_and_paused(sandbox: RunningSandbox, box: Mailbox) -> None:
    sandbox.control("switches", "PUT", repeat=2)
    sandbox.paid()
    sandbox.flush()
    assert (len(box.got), len({body for body, _ in box.got})) == (3, 1)

    box.got.clear()
    sandbox.control("switches", "PUT", reorder=3)
    sessions = [sandbox.sell() for _ in range(3)]
    for session in sessions[:2]:
        sandbox.control(f"sessions/{session.id}/pay")
    time.sleep(0.3)  # to see that they are held
    assert box.got == []
    sandbox.control(f"sessions/{sessions[2].id}/pay")
    sandbox.flush()
    arrived = [json.loads(body)["data"]["object"]["id"] for body, _ in box.got]
    assert arrived == [session.id for session in reversed(sessions)]

    box.got.clear()
    sandbox.control("switches", "PUT", drop=1)
    sandbox.paid()
    event = sandbox.client.v1.events.list({"limit": 1}).data[0]
    assert event.type == "checkout.session.completed"
    event_id = event.id
    assert sandbox.flush()["dropped"] == 1
    assert box.got == []
    sandbox.control(f"events/{event_id}/resend")
    sandbox.flush()
    assert [json.loads(body)["id"] for body, _ in box.got] == [event_id]

    box.got.clear()
    sandbox.control("switches", "PUT", delay_s=0.6, api_version="2020-01-01")
    began = time.monotonic()
    sandbox.paid()
    sandbox.flush()
    assert time.monotonic() - began >= 0.5
    assert json.loads(box.got[0][0])["api_version"] == "2020-01-01"

    box.got.clear()
    sandbox.control("switches", "PUT", paused=True)
    sandbox.paid()
    assert sandbox.flush()["waiting"] == 1
    assert box.got == []
    assert sandbox.control("switches", "PATCH", paused=False)["paused"] is False
    assert sandbox.flush()["empty"]
    assert len(box.got) == 1
    assert sandbox.control("switches", "GET")["repeat"] == 0


def test_a_kill_loses_neither_sessions_nor_webhooks(server: StripeSandbox, box: Mailbox) -> None:
    server.launch()
    try:
        server.wait()
        sandbox = RunningSandbox(server.environment())
        sandbox.control("switches", "PUT", paused=True)
        session = sandbox.sell("k")
        sandbox.control(f"sessions/{session.id}/pay")
        server.process.kill()
        server.launch()
        server.wait()
        assert sandbox.client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
        assert sandbox.sell("k").id == session.id
        assert box.got == []
        sandbox.control("switches", "PUT")
        assert sandbox.flush()["delivered"] == 1
        assert box.types == ["checkout.session.completed"]
    finally:
        server.process.kill()


def test_a_buyer_pays_on_the_page(sandbox: RunningSandbox) -> None:
    session = sandbox.sell(customer_email="ada@example.org", client_reference_id="<b>x</b>")
    shown = httpx.get(session.url)
    for page in (shown, httpx.get(f"{sandbox.base}/"), httpx.get(f"{sandbox.base}/pay/cs_test_none")):
        assert_keeps_policy(page.text, page.headers["Content-Security-Policy"])
    for text in ("SANDBOX", "30 days", "Pay 10.00 EUR", "ada@example.org", "Card declined", "Pay later", "Cancel"):
        assert text in shown.text
    declined = httpx.post(session.url, data={"action": "decline", "name": "Ada"})
    assert "Your card was declined." in declined.text
    assert 'value="Ada"' in declined.text
    left = httpx.post(session.url, data={"action": "cancel"})
    assert (left.status_code, left.headers["Location"]) == (303, "http://127.0.0.1:1/left")
    wrong = httpx.post(session.url, data={"action": "pay", "email": "nobody"})
    assert (wrong.status_code, "Invalid email address" in wrong.text) == (400, True)
    paid = httpx.post(session.url, data={"action": "pay", "name": "Ada", "line1": "1 Way", "email": "a@b.de"})
    assert (paid.status_code, paid.headers["Location"]) == (303, f"http://127.0.0.1:1/done?id={session.id}")
    again = httpx.post(session.url, data={"action": "pay"})
    assert (again.status_code, "It is not charged again" in again.text) == (409, True)
    details = sandbox.client.v1.checkout.sessions.retrieve(session.id).customer_details
    assert details is not None
    assert details.address is not None
    assert (details.name, details.email, details.address.line1) == ("Ada", "a@b.de", "1 Way")
    overview = httpx.get(f"{sandbox.base}/").text
    assert "&lt;b&gt;x&lt;/b&gt;" in overview
    assert "<b>x" not in overview
    assert httpx.get(f"{sandbox.base}/pay/cs_test_none").status_code == 404


def test_the_buttons_of_the_overview_work(sandbox: RunningSandbox) -> None:
    intent_id, later, unpaid = sandbox.paid(), sandbox.sell(), sandbox.sell()
    httpx.post(later.url, data={"action": "later"})
    pressed = [
        (f"sessions/{later.id}/succeed", {}, 303),
        (f"sessions/{unpaid.id}/expire", {}, 303),
        (f"payment-intents/{intent_id}/refund", {"amount": "4,00"}, 303),
        (f"payment-intents/{intent_id}/refund", {"amount": "x"}, 400),
        (f"payment-intents/{intent_id}/refund", {"amount": "6.01"}, 400),
        (f"payment-intents/{intent_id}/dispute", {"inquiry": "true"}, 303),
        (f"payment-intents/{intent_id}/explode", {}, 404),
        ("payment-intents/pi_none/refund", {}, 404),
    ]
    for path, fields, status in pressed:
        assert httpx.post(f"{sandbox.base}/actions/{path}", data=fields).status_code == status, path
    dispute = sandbox.client.v1.disputes.list({"payment_intent": intent_id}).data[0]
    assert dispute.status == "warning_needs_response"
    assert httpx.post(f"{sandbox.base}/actions/disputes/{dispute.id}/close").status_code == 303
    assert sandbox.client.v1.refunds.list({"payment_intent": intent_id}).data[0].amount == 400
    path = f"{sandbox.base}/actions/payment-intents/{intent_id}/refund"
    for elsewhere in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}, {"Origin": "null"}):
        assert httpx.post(path, headers=elsewhere).status_code == 403
    assert httpx.post(path, headers={"Origin": sandbox.base}).status_code == 303
    assert httpx.get(f"{sandbox.base}/", headers={"Host": "rebound.example.org"}).status_code == 403


def test_it_stops_while_a_call_hangs(sandbox: RunningSandbox, process: LoggedProcess) -> None:
    sandbox.control("faults", "PUT", hang_s=3600)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(sandbox.sdk(max_network_retries=0).v1.refunds.list)
        wait_until(lambda: bool(sandbox.control("calls", "GET")))
        process.stop()
        with pytest.raises(stripe.StripeError):
            lost.result()
    assert process.exit_code == 0


def test_it_refuses_an_unsafe_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cluster.local.stripe_sandbox", str(free_port()), str(tmp_path / "sandbox")]
    environment = {**os.environ, "FITMONITOR_STRIPE__API_KEY": LIVE}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "FITMONITOR_STRIPE__API_KEY" in line
    assert "abc123" not in ended.stderr + ended.stdout
    assert not (tmp_path / "sandbox").exists()


def test_key_and_secret_are_created_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    told = [StripeSandbox(tmp_path / "log", folder, 1, "http://127.0.0.1:1/").environment() for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["FITMONITOR_STRIPE__API_KEY"].startswith("sk_test_")
    assert told[0]["FITMONITOR_STRIPE__WEBHOOK_SECRET"].startswith("whsec_")
    assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600]
