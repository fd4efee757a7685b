"""Sessions: what they can sell, and how they end."""

import pytest

from cluster.local.stripe_sandbox import sessions
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import decode
from cluster.local.stripe_sandbox.layout import shown
from cluster.local.stripe_sandbox.parameters import Buyer, SessionExpansion, read
from cluster.local.stripe_sandbox.payments import INTENT, charge_of
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.sessions import SESSION
from cluster.local.stripe_sandbox.store import Body
from tests.unit.cluster.local.stripe_sandbox.conftest import Clock, create, order, sell, types


def refused(sandbox: Sandbox, more: str = "", **instead: str) -> SandboxError:
    with pytest.raises(SandboxError) as error:
        create(sandbox, order(more, **instead))
    return error.value


def intent_of(sandbox: Sandbox, session: Body) -> Body:
    return sandbox.store.get(INTENT, session["payment_intent"]).body


def in_currency(currency: str, amount: int) -> str:
    return (
        "mode=payment&success_url=http://127.0.0.1/s&line_items[0][quantity]=1&line_items[0][price_data]"
        f"[currency]={currency}&line_items[0][price_data][unit_amount]={amount}"
        "&line_items[0][price_data][product_data][name]=x"
    )


def test_a_new_session_is_open_and_unpaid(sandbox: Sandbox, clock: Clock) -> None:
    session = sell(sandbox, "client_reference_id=o1&metadata[order_id]=o1&customer_email=a@b.de")
    assert session["id"].startswith("cs_test_")
    assert (session["status"], session["payment_status"], session["payment_intent"]) == ("open", "unpaid", None)
    assert (session["amount_total"], session["currency"], session["livemode"]) == (1000, "eur", False)
    assert (session["client_reference_id"], session["metadata"]) == ("o1", {"order_id": "o1"})
    assert session["url"] == f"http://127.0.0.1:1/pay/{session['id']}"
    assert session["expires_at"] == clock.now + 24 * 3600


@pytest.mark.parametrize("name", ["mode", "line_items", "success_url"])
def test_a_missing_parameter_is_named(sandbox: Sandbox, name: str) -> None:
    form = order()
    del form[name]
    with pytest.raises(SandboxError) as error:
        create(sandbox, form)
    assert (error.value.code, error.value.param) == ("parameter_missing", name)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ("colour=red", "colour"),
        ("line_items[0][colour]=red", "line_items[0][colour]"),
        ("line_items[0][price_data][colour]=red", "line_items[0][price_data][colour]"),
        ("payment_intent_data[colour]=red", "payment_intent_data[colour]"),
    ],
)
def test_an_unknown_parameter_is_named(sandbox: Sandbox, more: str, param: str) -> None:
    error = refused(sandbox, more)
    assert (error.code, error.param, error.status) == ("parameter_unknown", param, 400)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "subscription"),
        ("success_url", "nonsense"),
        ("cancel_url", "javascript:alert(1)"),
        ("customer_email", "nobody"),
        ("client_reference_id", "x" * 201),
        ("billing_address_collection", "never"),
        ("line_items", "x"),
        ("expires_at", "soon"),
        ("client_reference_id", ""),
    ],
)
def test_a_wrong_value_is_named(sandbox: Sandbox, name: str, value: str) -> None:
    error = refused(sandbox, **{name: value})
    assert (error.param, error.kind) == (name, "invalid_request_error")


def test_a_session_is_open_from_half_an_hour_to_a_day(sandbox: Sandbox, clock: Clock) -> None:
    for seconds in (30 * 60, 24 * 3600):
        assert sell(sandbox, f"expires_at={int(clock.now) + seconds}")["status"] == "open"
    for seconds in (30 * 60 - 1, 24 * 3600 + 1, -1):
        assert refused(sandbox, f"expires_at={int(clock.now) + seconds}").param == "expires_at"


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("jpy", 500, "500 JPY"), ("EUR", 123456, "1,234.56 EUR"), ("kwd", 1230, "1.230 KWD"), ("isk", 500, "5.00 ISK")],
)
def test_amounts_are_shown_by_the_decimals_of_their_currency(
    sandbox: Sandbox, currency: str, amount: int, text: str
) -> None:
    session = create(sandbox, decode(in_currency(currency, amount)))
    assert session["currency"] == currency.lower()
    assert shown(session["amount_total"], session["currency"]) == text


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("kwd", 1234), ("isk", 550), ("xyz", 100), ("eur", 49), ("eur", 0), ("eur", -1), ("eur", 10**9), ("", 1)],
)
def test_an_amount_that_cannot_be_charged_is_refused(sandbox: Sandbox, currency: str, amount: int) -> None:
    with pytest.raises(SandboxError):
        create(sandbox, decode(in_currency(currency, amount)))


def test_a_session_sells_one_thing(sandbox: Sandbox) -> None:
    second = in_currency("eur", 250).replace("[0]", "[1]").split("&", 2)[2]
    assert refused(sandbox, second).param == "line_items[1]"
    two = {"0": order()["line_items"]["0"] | {"quantity": "2"}}  # type: ignore[index,operator]
    assert refused(sandbox, line_items=two).param == "line_items[0][quantity]"  # type: ignore[arg-type]


def test_a_paid_session_has_a_payment_and_a_buyer(sandbox: Sandbox) -> None:
    session = sell(sandbox, "payment_intent_data[metadata][order_id]=o1&customer_email=a@b.de")
    paid = sessions.pay(sandbox, session["id"], Buyer(name="Ada", address={"line1": "1 Way", "country": "AT"}))
    assert (paid["status"], paid["payment_status"], paid["url"]) == ("complete", "paid", None)
    details = paid["customer_details"]
    assert (details["name"], details["email"], details["address"]["country"]) == ("Ada", "a@b.de", "AT")
    intent, charge = intent_of(sandbox, paid), charge_of(sandbox, paid["payment_intent"])
    assert (intent["status"], intent["amount_received"], intent["metadata"]) == ("succeeded", 1000, {"order_id": "o1"})
    assert (charge["paid"], charge["amount_captured"], charge["payment_intent"]) == (True, 1000, intent["id"])
    assert charge["billing_details"]["name"] == "Ada"
    assert types(sandbox) == ["charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]


def test_a_session_is_paid_once(sandbox: Sandbox) -> None:
    session = sell(sandbox)
    sessions.pay(sandbox, session["id"], Buyer())
    for delayed in (False, True):
        with pytest.raises(SandboxError, match="not open"):
            sessions.pay(sandbox, session["id"], Buyer(), delayed=delayed)
    with pytest.raises(SandboxError, match="Only Checkout Sessions"):
        sessions.expire(sandbox, session["id"])
    assert types(sandbox).count("checkout.session.completed") == 1


def test_a_declined_card_leaves_the_session_open(sandbox: Sandbox) -> None:
    session = sell(sandbox)
    sessions.decline(sandbox, session["id"])
    kept = sandbox.store.get(SESSION, session["id"])
    assert (kept.body["status"], kept.extra["error"]) == ("open", "Your card was declined.")
    assert types(sandbox) == []
    assert sessions.pay(sandbox, session["id"], Buyer())["payment_status"] == "paid"


def test_a_bank_debit_succeeds(sandbox: Sandbox) -> None:
    session = sessions.pay(sandbox, sell(sandbox)["id"], Buyer(), delayed=True)
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    assert intent_of(sandbox, session)["status"] == "processing"
    settled = sessions.settle(sandbox, session["id"], "succeeded")
    assert settled["payment_status"] == "paid"
    assert intent_of(sandbox, session)["amount_received"] == 1000
    assert types(sandbox)[-1] == "checkout.session.async_payment_succeeded"
    with pytest.raises(SandboxError, match="not processing"):
        sessions.settle(sandbox, session["id"], "failed")


def test_a_bank_debit_fails(sandbox: Sandbox) -> None:
    session = sessions.pay(sandbox, sell(sandbox)["id"], Buyer(), delayed=True)
    settled = sessions.settle(sandbox, session["id"], "failed")
    intent = intent_of(sandbox, session)
    assert (settled["status"], settled["payment_status"]) == ("complete", "unpaid")
    assert (intent["status"], intent["amount_received"]) == ("requires_payment_method", 0)
    assert charge_of(sandbox, intent["id"])["status"] == "failed"
    assert types(sandbox)[-1] == "checkout.session.async_payment_failed"


def test_a_session_expires_by_itself_once(sandbox: Sandbox, clock: Clock) -> None:
    session, paid = sell(sandbox), sell(sandbox)
    sessions.pay(sandbox, paid["id"], Buyer())
    clock.now += 24 * 3600
    sessions.expire_due(sandbox)
    sessions.expire_due(sandbox)
    expired = sandbox.store.get(SESSION, session["id"]).body
    assert (expired["status"], expired["payment_status"], expired["url"]) == ("expired", "unpaid", None)
    assert sandbox.store.get(SESSION, paid["id"]).body["status"] == "complete"
    assert types(sandbox).count("checkout.session.expired") == 1
    with pytest.raises(SandboxError, match="not open"):
        sessions.pay(sandbox, session["id"], Buyer())


def test_a_bank_debit_does_not_expire(sandbox: Sandbox, clock: Clock) -> None:
    session = sessions.pay(sandbox, sell(sandbox)["id"], Buyer(), delayed=True)
    clock.now += 10**6
    sessions.expire_due(sandbox)
    assert intent_of(sandbox, session)["status"] == "processing"


def test_a_session_is_expanded_as_far_as_the_client_asks(sandbox: Sandbox) -> None:
    session = sessions.pay(sandbox, sell(sandbox)["id"], Buyer())
    intent, charge = intent_of(sandbox, session), charge_of(sandbox, session["payment_intent"])
    for names, expected in (
        ([], intent["id"]),
        (["payment_intent"], intent),
        (["payment_intent.latest_charge"], intent | {"latest_charge": charge}),
    ):
        sent = read(SessionExpansion, {"expand": {str(index): name for index, name in enumerate(names)}})
        assert sessions.retrieve(sandbox, session["id"], sent)["payment_intent"] == expected
    with pytest.raises(SandboxError) as error:
        read(SessionExpansion, decode("expand[0]=colour"))
    assert error.value.param == "expand[0]"
