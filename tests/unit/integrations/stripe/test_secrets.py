"""The key and the webhook's secret are told to nobody but Stripe."""

import io
import json
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest
import structlog
from pydantic import ValidationError

from domain.ids import new_id
from domain.memberships.ledger import Method
from domain.money import Money
from domain.payments.model import Order, OrderState
from domain.payments.ports import BadSignatureError, PaymentsUnavailableError
from integrations.logs import configure_logging
from integrations.settings import Settings, StripeSettings
from integrations.stripe.provider import StripePayments
from tests.loopback import serving

KEY, SECRET = "sk_live_0123456789abcdef", "whsec_fedcba9876543210"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDER = Order(
    new_id(), new_id(), new_id(), new_id(), "30 days", 30, Money(1000, "EUR"), 0, Method.STRIPE, OrderState.OPEN, NOW
)
CALLS: dict[str, Callable[[StripePayments], object]] = {
    "open_checkout": lambda stripe: stripe.open_checkout(ORDER, "mia@example.org"),
    "checkout": lambda stripe: stripe.checkout("cs_1"),
    "close_checkout": lambda stripe: stripe.close_checkout("cs_1"),
    "refund": lambda stripe: stripe.refund(ORDER, 400, new_id()),
    "refunds_of": lambda stripe: stripe.refunds_of("pi_1"),
    "happened_since": lambda stripe: stripe.happened_since(NOW),
}


class Tells(BaseHTTPRequestHandler):
    """A Stripe that refuses every key, and repeats its end, as Stripe does."""

    seen: list[str]

    def do_GET(self) -> None:
        key = self.headers["Authorization"].removeprefix("Bearer ")
        self.seen.append(key)
        told = {
            "error": {"type": "invalid_request_error", "message": f"Invalid API Key provided: {key[:8]}****{key[-4:]}"}
        }
        body = json.dumps(told).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own
        """Nothing."""


def closed_port() -> int:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def configured(port: int = 9) -> StripeSettings:
    values = {"api_key": KEY, "webhook_secret": SECRET, "api_base": f"http://127.0.0.1:{port}", "retries": 0}
    return StripeSettings.model_validate(values)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """All that was logged so far, by whatever library at whatever level."""
    lines = io.StringIO()
    monkeypatch.setattr("sys.stderr", lines)
    caplog.set_level(logging.DEBUG)
    for name in ("stripe", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, name)
    was = structlog.get_config()
    configure_logging(Settings(log_level="DEBUG"))
    yield lambda: lines.getvalue() + caplog.text + str([record.__dict__ for record in caplog.records])
    structlog.configure(**was)


def everything_of(error: BaseException) -> str:
    """What may be seen of an error, in a traceback and in our log."""
    structlog.get_logger("a test").error("failed", exc_info=error, reason=str(error))
    return "".join([repr(error), str(error), str(error.args), str(vars(error)), *traceback.format_exception(error)])


def without_secrets(text: str) -> bool:
    return not any(secret in text or secret[8:] in text for secret in (KEY, SECRET))


def test_settings_show_no_secret() -> None:
    settings = configured()
    whole = Settings(stripe=settings)
    for shown in (
        *(repr(settings), str(settings), f"{settings}", str(settings.model_dump()), settings.model_dump_json()),
        *(repr(whole), str(whole), whole.model_dump_json(), str(whole.model_copy().stripe)),
    ):
        assert without_secrets(shown)
    assert settings.api_key.get_secret_value() == KEY, "it is there all the same"


def test_the_provider_shows_no_secret() -> None:
    provider = StripePayments(configured())
    for shown in (repr(provider), str(provider), f"{provider}", str(vars(provider))):
        assert without_secrets(shown)


@pytest.mark.parametrize("call", CALLS)
def test_a_key_that_is_refused_is_not_repeated(call: str, logged: Callable[[], str]) -> None:
    tells = type("TellsHere", (Tells,), {"seen": []})
    with serving(tells) as port, pytest.raises(PaymentsUnavailableError) as refused:
        CALLS[call](StripePayments(configured(port)))
    assert tells.seen == [KEY], "it was sent"  # type: ignore[attr-defined] # of `Tells`
    assert str(refused.value) == "Service unavailable: Stripe refuses the API key"
    assert KEY[-4:] not in everything_of(refused.value), "nor the end of it"
    assert without_secrets(everything_of(refused.value))
    assert "failed" in logged()
    assert without_secrets(logged())


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_connection_shows_no_secret(call: str, logged: Callable[[], str]) -> None:
    with pytest.raises(PaymentsUnavailableError) as away:
        CALLS[call](StripePayments(configured(closed_port())))
    assert without_secrets(everything_of(away.value))
    assert "failed" in logged()
    assert without_secrets(logged())


@pytest.mark.parametrize("signature", ["", "nonsense", "t=1,v1=00", f"t={int(NOW.timestamp())},v1={'0' * 64}"])
def test_a_wrong_signature_shows_no_secret(signature: str, logged: Callable[[], str]) -> None:
    with pytest.raises(BadSignatureError) as bad:
        StripePayments(configured()).happened(b"{}", signature)
    assert without_secrets(everything_of(bad.value))
    assert without_secrets(logged())


def test_settings_that_lack_something_show_no_secret() -> None:
    with pytest.raises(ValidationError) as lacking:
        Settings.model_validate({"profile": "production", "stripe": {"webhook_secret": "whsec_fedcba98"}})
    assert "fedcba98" not in str(lacking.value)
