"""Refunds and disputes: never more money goes back than was paid."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.local.stripe_sandbox import disputes, refunds, sessions
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import Form
from cluster.local.stripe_sandbox.parameters import Buyer, DisputeEnd, NewDispute, NewRefund, read
from cluster.local.stripe_sandbox.payments import CHARGE, charge_of
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.store import Body
from tests.unit.cluster.local.stripe_sandbox.conftest import sell, types


def paid(sandbox: Sandbox) -> Body:
    """A charge of 10.00 EUR."""
    return charge_of(sandbox, sessions.pay(sandbox, sell(sandbox)["id"], Buyer())["payment_intent"])


def refund(sandbox: Sandbox, charge: Body, amount: int | None = None) -> Body:
    form: Form = {"payment_intent": charge["payment_intent"]} | ({} if amount is None else {"amount": str(amount)})
    with sandbox.store.transaction():
        return refunds.create(sandbox, "", read(NewRefund, form))


def dispute(sandbox: Sandbox, charge: Body, *, inquiry: bool = False) -> Body:
    return disputes.create(sandbox, charge["payment_intent"], NewDispute(inquiry=inquiry))


def close(sandbox: Sandbox, dispute: Body, status: Any = None) -> Body:  # noqa: ANN401 - also statuses that none has
    return disputes.close(sandbox, dispute["id"], DisputeEnd(status=status))


def now(sandbox: Sandbox, charge: Body) -> Body:
    return sandbox.store.get(CHARGE, charge["id"]).body


def test_a_payment_is_refunded_in_parts(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    assert refund(sandbox, charge, 400)["amount"] == 400
    assert (now(sandbox, charge)["amount_refunded"], now(sandbox, charge)["refunded"]) == (400, False)
    assert refund(sandbox, charge)["amount"] == 600
    assert (now(sandbox, charge)["amount_refunded"], now(sandbox, charge)["refunded"]) == (1000, True)
    assert types(sandbox)[-4:] == ["refund.created", "charge.refunded"] * 2
    with pytest.raises(SandboxError) as error:
        refund(sandbox, charge, 1)
    assert error.value.code == "charge_already_refunded"


def test_a_refund_cannot_exceed_what_is_left(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    refund(sandbox, charge, 400)
    with pytest.raises(SandboxError, match=r"\(6\.01 EUR\) is greater .* \(6\.00 EUR\)") as error:
        refund(sandbox, charge, 601)
    assert error.value.param == "amount"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.one_of(st.none(), st.integers(1, 1200)), max_size=8))
def test_refunds_never_add_up_to_more_than_was_paid(sandbox: Sandbox, amounts: list[int | None]) -> None:
    charge, given_back = paid(sandbox), 0
    for amount in amounts:
        try:
            given_back += refund(sandbox, charge, amount)["amount"]
        except SandboxError:
            continue
    assert given_back == now(sandbox, charge)["amount_refunded"] <= 1000
    assert now(sandbox, charge)["refunded"] == (given_back == 1000)


@pytest.mark.parametrize(
    ("form", "code"),
    [({}, "parameter_missing"), ({"payment_intent": "pi_no"}, "resource_missing"), ({"amount": "0"}, None)],
)
def test_a_refund_needs_a_payment(sandbox: Sandbox, form: Form, code: str | None) -> None:
    with pytest.raises(SandboxError) as error:
        refunds.create(sandbox, "", read(NewRefund, {"payment_intent": "pi_no"} | form if "amount" in form else form))
    assert error.value.code == code


def test_a_refund_is_a_multiple_of_the_step_of_its_currency(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    sandbox.store.save(now(sandbox, charge) | {"currency": "isk"})
    with pytest.raises(SandboxError, match="multiple of 100") as error:
        refund(sandbox, charge, 150)
    assert error.value.param == "amount"


def test_a_processing_payment_cannot_be_refunded_or_disputed(sandbox: Sandbox) -> None:
    charge = charge_of(sandbox, sessions.pay(sandbox, sell(sandbox)["id"], Buyer(), delayed=True)["payment_intent"])
    with pytest.raises(SandboxError, match="successful charge"):
        refund(sandbox, charge)
    with pytest.raises(SandboxError, match="not succeeded"):
        dispute(sandbox, charge)


def test_a_failed_refund_is_added_to_the_charge_again(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    failed = refunds.settle(sandbox, refund(sandbox, charge)["id"], succeeds=False)
    assert failed["status"] == "failed"
    assert (now(sandbox, charge)["amount_refunded"], now(sandbox, charge)["refunded"]) == (0, False)
    assert types(sandbox)[-2:] == ["refund.updated", "refund.failed"]
    with pytest.raises(SandboxError, match="failed"):
        refunds.settle(sandbox, failed["id"], succeeds=False)
    assert refund(sandbox, charge)["amount"] == 1000


def test_a_refund_can_be_pending_first(sandbox: Sandbox) -> None:
    sandbox.panel.set_switches({"refunds": "pending"})
    pending = refund(sandbox, paid(sandbox))
    assert pending["status"] == "pending"
    assert refunds.settle(sandbox, pending["id"], succeeds=True)["status"] == "succeeded"
    with pytest.raises(SandboxError):
        refunds.settle(sandbox, pending["id"], succeeds=True)


def test_a_lost_dispute_takes_the_money(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    opened = dispute(sandbox, charge)
    assert (opened["status"], opened["amount"], opened["charge"]) == ("needs_response", 1000, charge["id"])
    assert now(sandbox, charge)["disputed"]
    assert types(sandbox)[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(SandboxError, match="being disputed"):
        dispute(sandbox, charge)
    with pytest.raises(SandboxError) as error:
        refund(sandbox, charge)
    assert error.value.code == "charge_disputed"
    assert close(sandbox, opened, "lost")["status"] == "lost"
    assert types(sandbox)[-1] == "charge.dispute.closed"
    with pytest.raises(SandboxError, match="charged back"):
        refund(sandbox, charge)
    with pytest.raises(SandboxError, match="closed"):
        close(sandbox, opened, "won")


def test_a_won_dispute_returns_the_money(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    opened = dispute(sandbox, charge)
    with pytest.raises(SandboxError, match="must be one of won, lost"):
        close(sandbox, opened, "warning_closed")
    close(sandbox, opened, "won")
    assert types(sandbox)[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    assert refund(sandbox, charge)["amount"] == 1000


def test_an_inquiry_takes_nothing(sandbox: Sandbox) -> None:
    charge = paid(sandbox)
    inquiry = dispute(sandbox, charge, inquiry=True)
    assert inquiry["status"] == "warning_needs_response"
    assert refund(sandbox, charge, 100)["status"] == "succeeded"
    assert close(sandbox, inquiry)["status"] == "warning_closed"
    assert "charge.dispute.funds_withdrawn" not in types(sandbox)


def test_an_inquiry_can_become_a_dispute(sandbox: Sandbox) -> None:
    inquiry = dispute(sandbox, paid(sandbox), inquiry=True)
    assert disputes.escalate(sandbox, inquiry["id"])["status"] == "needs_response"
    assert types(sandbox)[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    with pytest.raises(SandboxError, match="only an open inquiry"):
        disputes.escalate(sandbox, inquiry["id"])
