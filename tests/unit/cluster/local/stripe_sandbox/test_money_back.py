"""Refunds and disputes: money that goes back, never more than came."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import Form
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.sessions import Buyer
from cluster.local.stripe_sandbox.store import Body
from cluster.local.stripe_sandbox.world import World
from tests.unit.cluster.local.stripe_sandbox.conftest import sell, types


def paid(world: World) -> Body:
    """A charge of 10.00 EUR."""
    intent_id = world.sessions.pay(sell(world)["id"], Buyer())["payment_intent"]
    return world.payments.charge(world.payments.intent(intent_id).body["latest_charge"]).body


def refund(world: World, charge: Body, amount: int | None = None) -> Body:
    form: Form = {"payment_intent": charge["payment_intent"]} | ({} if amount is None else {"amount": str(amount)})
    with world.store.transaction():
        return world.refunds.create(Parameters(form))


def now(world: World, charge: Body) -> Body:
    return world.payments.charge(charge["id"]).body


def test_a_part_then_the_rest(world: World) -> None:
    charge = paid(world)
    assert refund(world, charge, 400)["amount"] == 400
    assert (now(world, charge)["amount_refunded"], now(world, charge)["refunded"]) == (400, False)
    assert refund(world, charge)["amount"] == 600
    assert (now(world, charge)["amount_refunded"], now(world, charge)["refunded"]) == (1000, True)
    assert types(world)[-4:] == ["refund.created", "charge.refunded"] * 2
    with pytest.raises(SandboxError) as error:
        refund(world, charge, 1)
    assert (error.value.code, error.value.began) == ("charge_already_refunded", True)


def test_no_more_than_is_left(world: World) -> None:
    charge = paid(world)
    refund(world, charge, 400)
    with pytest.raises(SandboxError, match=r"\(6\.01 EUR\) is greater .* \(6\.00 EUR\)") as error:
        refund(world, charge, 601)
    assert error.value.param == "amount"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.one_of(st.none(), st.integers(1, 1200)), max_size=8))
def test_refunds_never_add_up_to_more_than_was_paid(world: World, amounts: list[int | None]) -> None:
    charge, given_back = paid(world), 0
    for amount in amounts:
        try:
            given_back += refund(world, charge, amount)["amount"]
        except SandboxError:
            continue
    assert given_back == now(world, charge)["amount_refunded"] <= 1000
    assert now(world, charge)["refunded"] == (given_back == 1000)


@pytest.mark.parametrize("form", [{}, {"payment_intent": "pi_no"}, {"charge": "ch_no"}, {"charge": "x", "amount": "0"}])
def test_a_refund_needs_something_to_refund(world: World, form: Form) -> None:
    with pytest.raises(SandboxError):
        world.refunds.create(Parameters(form))


def test_a_payment_on_its_way_cannot_be_refunded_nor_disputed(world: World) -> None:
    session = world.sessions.pay_later(sell(world)["id"], Buyer())
    with pytest.raises(SandboxError, match="successful charge"):
        world.refunds.create(Parameters({"payment_intent": session["payment_intent"]}))
    with pytest.raises(SandboxError, match="not arrived"):
        world.disputes.open(session["payment_intent"])


def test_a_refund_that_fails_gives_the_money_back_to_the_charge(world: World) -> None:
    charge = paid(world)
    failed = world.refunds.settle(refund(world, charge)["id"], arrives=False)
    assert failed["status"] == "failed"
    assert (now(world, charge)["amount_refunded"], now(world, charge)["refunded"]) == (0, False)
    assert types(world)[-2:] == ["refund.updated", "refund.failed"]
    with pytest.raises(SandboxError, match="failed"):
        world.refunds.settle(failed["id"], arrives=False)
    assert refund(world, charge)["amount"] == 1000


def test_a_refund_may_be_pending_at_first(world: World) -> None:
    world.panel.turn({"refunds": "pending"})
    pending = refund(world, paid(world))
    assert pending["status"] == "pending"
    assert world.refunds.settle(pending["id"], arrives=True)["status"] == "succeeded"
    with pytest.raises(SandboxError):
        world.refunds.settle(pending["id"], arrives=True)


def test_a_lost_dispute_takes_the_money(world: World) -> None:
    charge = paid(world)
    dispute = world.disputes.open(charge["payment_intent"])
    assert (dispute["status"], dispute["amount"], dispute["charge"]) == ("needs_response", 1000, charge["id"])
    assert now(world, charge)["disputed"]
    assert types(world)[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(SandboxError, match="being disputed"):
        world.disputes.open(charge["payment_intent"])
    with pytest.raises(SandboxError) as error:
        refund(world, charge)
    assert error.value.code == "charge_disputed"
    assert world.disputes.close(dispute["id"], "lost")["status"] == "lost"
    assert types(world)[-1] == "charge.dispute.closed"
    with pytest.raises(SandboxError, match="charged back"):
        refund(world, charge)
    with pytest.raises(SandboxError, match="closed"):
        world.disputes.close(dispute["id"], "won")


def test_a_won_dispute_gives_the_money_again(world: World) -> None:
    charge = paid(world)
    dispute = world.disputes.open(charge["payment_intent"])
    with pytest.raises(SandboxError, match="must be one of won, lost"):
        world.disputes.close(dispute["id"], "warning_closed")
    world.disputes.close(dispute["id"], "won")
    assert types(world)[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    assert refund(world, charge)["amount"] == 1000


def test_an_inquiry_takes_nothing(world: World) -> None:
    charge = paid(world)
    inquiry = world.disputes.open(charge["payment_intent"], inquiry=True)
    assert inquiry["status"] == "warning_needs_response"
    assert refund(world, charge, 100)["status"] == "succeeded"
    assert world.disputes.close(inquiry["id"])["status"] == "warning_closed"
    assert "charge.dispute.funds_withdrawn" not in types(world)


def test_an_inquiry_may_become_a_dispute(world: World) -> None:
    inquiry = world.disputes.open(paid(world)["payment_intent"], inquiry=True)
    assert world.disputes.escalate(inquiry["id"])["status"] == "needs_response"
    assert types(world)[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    with pytest.raises(SandboxError, match="only an open inquiry"):
        world.disputes.escalate(inquiry["id"])
