"""Sessions: what may be sold, and how a session ends."""

import pytest

from cluster.local.stripe_sandbox.currencies import shown
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import decode
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.sessions import FAILED, SUCCEEDED, Buyer
from cluster.local.stripe_sandbox.world import World
from tests.unit.cluster.local.stripe_sandbox.conftest import Clock, order, sell, types


def refused(world: World, more: str = "", **instead: str) -> SandboxError:
    with pytest.raises(SandboxError) as error:
        world.sessions.create(Parameters(order(more, **instead)))
    assert not error.value.began
    return error.value


def in_currency(currency: str, amount: int) -> str:
    return (
        "mode=payment&success_url=http://127.0.0.1/s&line_items[0][quantity]=1&line_items[0][price_data]"
        f"[currency]={currency}&line_items[0][price_data][unit_amount]={amount}"
        "&line_items[0][price_data][product_data][name]=x"
    )


def test_a_new_session_is_open_and_unpaid(world: World, clock: Clock) -> None:
    session = sell(world, "client_reference_id=o1&metadata[order_id]=o1&customer_email=a@b.de")
    assert session["id"].startswith("cs_test_")
    assert (session["status"], session["payment_status"], session["payment_intent"]) == ("open", "unpaid", None)
    assert (session["amount_total"], session["currency"], session["livemode"]) == (1000, "eur", False)
    assert (session["client_reference_id"], session["metadata"]) == ("o1", {"order_id": "o1"})
    assert session["url"] == f"http://127.0.0.1:1/pay/{session['id']}"
    assert session["expires_at"] == clock.now + 24 * 3600


@pytest.mark.parametrize("name", ["mode", "line_items", "success_url"])
def test_a_session_needs_what_stripe_needs(world: World, name: str) -> None:
    form = order()
    del form[name]
    with pytest.raises(SandboxError) as error:
        world.sessions.create(Parameters(form))
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
def test_an_unknown_parameter_is_named(world: World, more: str, param: str) -> None:
    error = refused(world, more)
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
        ("locale", "!!"),
        ("expires_at", "soon"),
        ("client_reference_id", ""),
    ],
)
def test_a_wrong_value_is_named(world: World, name: str, value: str) -> None:
    error = refused(world, **{name: value})
    assert (error.param, error.kind) == (name, "invalid_request_error")


def test_a_session_is_open_from_half_an_hour_to_a_day(world: World, clock: Clock) -> None:
    for seconds in (30 * 60, 24 * 3600):
        assert sell(world, f"expires_at={int(clock.now) + seconds}")["status"] == "open"
    for seconds in (30 * 60 - 1, 24 * 3600 + 1, -1):
        assert refused(world, f"expires_at={int(clock.now) + seconds}").param == "expires_at"


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("jpy", 500, "500 JPY"), ("EUR", 123456, "1,234.56 EUR"), ("kwd", 1230, "1.230 KWD"), ("isk", 500, "5.00 ISK")],
)
def test_amounts_are_shown_by_the_decimals_of_their_currency(
    world: World, currency: str, amount: int, text: str
) -> None:
    session = world.sessions.create(Parameters(decode(in_currency(currency, amount))))
    assert session["currency"] == currency.lower()
    assert shown(session["amount_total"], session["currency"]) == text


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("kwd", 1234), ("isk", 550), ("xyz", 100), ("eur", 49), ("eur", -1), ("eur", 10**9), ("", 1)],
)
def test_an_amount_that_cannot_be_charged_is_refused(world: World, currency: str, amount: int) -> None:
    with pytest.raises(SandboxError):
        world.sessions.create(Parameters(decode(in_currency(currency, amount))))


def test_all_lines_have_one_currency_and_add_up(world: World) -> None:
    second = in_currency("eur", 250).replace("[0]", "[1]").replace("quantity]=1", "quantity]=3").split("&", 2)[2]
    session = world.sessions.create(Parameters(order(second)))
    assert session["amount_total"] == 1000 + 3 * 250
    assert refused(world, second.replace("=eur", "=usd")).param == "line_items"


def test_a_paid_session_names_its_payment_and_its_buyer(world: World) -> None:
    session = sell(world, "payment_intent_data[metadata][order_id]=o1&customer_email=a@b.de")
    paid = world.sessions.pay(session["id"], Buyer("Ada", None, {"line1": "1 Way", "country": "AT"}))
    assert (paid["status"], paid["payment_status"], paid["url"]) == ("complete", "paid", None)
    details = paid["customer_details"]
    assert (details["name"], details["email"], details["address"]["country"]) == ("Ada", "a@b.de", "AT")
    intent = world.payments.intent(paid["payment_intent"]).body
    charge = world.payments.charge(intent["latest_charge"]).body
    assert (intent["status"], intent["amount_received"], intent["metadata"]) == ("succeeded", 1000, {"order_id": "o1"})
    assert (charge["paid"], charge["amount_captured"], charge["payment_intent"]) == (True, 1000, intent["id"])
    assert charge["billing_details"]["name"] == "Ada"
    assert types(world) == ["charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]


def test_a_session_is_paid_once(world: World) -> None:
    session = sell(world)
    world.sessions.pay(session["id"], Buyer())
    for again in (world.sessions.pay, world.sessions.pay_later):
        with pytest.raises(SandboxError, match="not open"):
            again(session["id"], Buyer())
    with pytest.raises(SandboxError, match="Only Checkout Sessions"):
        world.sessions.expire(session["id"])
    assert types(world).count("checkout.session.completed") == 1


def test_a_declined_card_leaves_the_session_open(world: World) -> None:
    session = sell(world)
    world.sessions.decline(session["id"])
    kept = world.sessions.find(session["id"])
    assert (kept.body["status"], kept.extra["error"]) == ("open", "Your card was declined.")
    assert types(world) == []
    assert world.sessions.pay(session["id"], Buyer())["payment_status"] == "paid"


def test_a_delayed_payment_arrives(world: World) -> None:
    session = world.sessions.pay_later(sell(world)["id"], Buyer())
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    assert world.payments.intent(session["payment_intent"]).body["status"] == "processing"
    settled = world.sessions.settle(session["id"], SUCCEEDED)
    assert settled["payment_status"] == "paid"
    assert world.payments.intent(session["payment_intent"]).body["amount_received"] == 1000
    assert types(world)[-1] == "checkout.session.async_payment_succeeded"
    with pytest.raises(SandboxError, match="not on its way"):
        world.sessions.settle(session["id"], FAILED)


def test_a_delayed_payment_fails(world: World) -> None:
    session = world.sessions.pay_later(sell(world)["id"], Buyer())
    settled = world.sessions.settle(session["id"], FAILED)
    intent = world.payments.intent(session["payment_intent"]).body
    assert (settled["status"], settled["payment_status"]) == ("complete", "unpaid")
    assert (intent["status"], intent["amount_received"]) == ("requires_payment_method", 0)
    assert world.payments.charge(intent["latest_charge"]).body["status"] == "failed"
    assert types(world)[-1] == "checkout.session.async_payment_failed"


def test_a_delayed_payment_ends_by_itself_when_it_was_told_to(world: World, clock: Clock) -> None:
    told = world.sessions.pay_later(sell(world)["id"], Buyer(), 60, FAILED)
    world.panel.turn({"settle_after_s": 30})
    switched = world.sessions.pay_later(sell(world)["id"], Buyer())
    world.panel.turn({})
    never = world.sessions.pay_later(sell(world)["id"], Buyer())
    clock.now += 59
    world.catch_up()
    assert world.sessions.find(switched["id"]).body["payment_status"] == "paid"
    assert "checkout.session.async_payment_failed" not in types(world)
    clock.now += 2
    world.catch_up()
    assert world.sessions.find(told["id"]).body["payment_status"] == "unpaid"
    assert types(world)[-1] == "checkout.session.async_payment_failed"
    clock.now += 10**6
    world.catch_up()
    assert world.payments.intent(never["payment_intent"]).body["status"] == "processing"


def test_a_session_expires_by_itself_once(world: World, clock: Clock) -> None:
    session, paid = sell(world), sell(world)
    world.sessions.pay(paid["id"], Buyer())
    clock.now += 24 * 3600
    world.catch_up()
    world.catch_up()
    expired = world.sessions.find(session["id"]).body
    assert (expired["status"], expired["payment_status"], expired["url"]) == ("expired", "unpaid", None)
    assert world.sessions.find(paid["id"]).body["status"] == "complete"
    assert types(world).count("checkout.session.expired") == 1
    with pytest.raises(SandboxError, match="not open"):
        world.sessions.pay(session["id"], Buyer())


def test_what_costs_nothing_is_completed_without_a_payment(world: World) -> None:
    session = world.sessions.create(Parameters(decode(in_currency("eur", 0))))
    with pytest.raises(SandboxError, match="costs nothing"):
        world.sessions.pay_later(session["id"], Buyer())
    done = world.sessions.pay(session["id"], Buyer())
    assert (done["payment_status"], done["payment_intent"]) == ("no_payment_required", None)
