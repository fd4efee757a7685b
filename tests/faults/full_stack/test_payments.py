"""Processes are killed and servers are away while members pay: paid is prolonged, exactly once, within a minute."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from domain.identity.model import Role
from tests.faults.door_load import p99
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole
from tests.faults.full_stack.purchases import Shop, session
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak("outages"), pytest.mark.timeout(900)]

STRIPE_WITHIN_S = 8.0  # a call that hangs is given up after so long
TIMES_CALM = 10


@pytest.fixture
def shop(whole: Whole) -> Iterator[Shop]:
    whole.wait_ready()
    with httpx.Client(base_url=f"{whole.stack.record.url}/api", timeout=240, trust_env=False) as client:
        shop = Shop(whole, client)
        yield shop
        shop.control("PUT", "faults", {})
        shop.control("PUT", "switches", {})


@pytest.mark.parametrize("deployment", ["PaymentConsumer", "Payments", "DoorConsumer"])
def test_a_killed_deployment_loses_no_payment_and_books_none_twice(
    deployment: str, shop: Shop, whole: Whole, figures: Figures
) -> None:
    bought = shop.orders(24)
    with ThreadPoolExecutor(1) as paying:
        done = paying.submit(shop.pay, *bought)
        # Once while events come in, and once more on what the next one has in hand.
        for _ in range(2):
            victims = whole.replicas(deployment)
            assert victims
            for victim in victims:
                victim.kill()
            whole.wait_replicas(deployment, len(victims), besides=victims)
        done.result()
    figures.tell("all paid after the second kill, s", shop.wait_paid(bought))
    shop.assert_prolonged_once(bought)


def test_stripe_that_fails_is_too_busy_or_hangs_is_asked_again(shop: Shop, figures: Figures) -> None:
    bought = shop.orders(12)
    shop.control("PUT", "faults", {"status": 500})
    shop.pay(*bought[:4])
    time.sleep(3)
    shop.control("PUT", "faults", {"status": 429})
    shop.pay(*bought[4:8])
    time.sleep(3)
    shop.control("PUT", "faults", {"hang_s": 20})
    shop.pay(*bought[8:])
    time.sleep(10)
    assert shop.states(bought) == {"open": 12}
    shop.control("PUT", "faults", {})
    figures.tell("all paid after Stripe's return, s", shop.wait_paid(bought))
    shop.assert_prolonged_once(bought)


def test_an_answer_of_stripes_that_is_lost_opens_no_second_checkout(shop: Shop) -> None:
    shop.control("DELETE", "calls")
    shop.control("PUT", "faults", {"after": True, "next": 1})
    order = shop.order()
    assert shop.control("GET", "calls")["POST /v1/checkout/sessions"] == 2
    shop.pay(order)
    shop.wait_paid([order])
    shop.assert_prolonged_once([order])


def test_a_sandbox_that_is_killed_comes_back_with_what_it_knew(shop: Shop, whole: Whole) -> None:
    bought = shop.orders(4)
    sandbox = whole.stack.record.processes["stripe sandbox"].find()
    assert sandbox is not None
    sandbox.kill()
    shop.pay(*bought)
    shop.wait_paid(bought)
    shop.assert_prolonged_once(bought)


def test_the_database_fails_during_fulfilment(shop: Shop, whole: Whole, figures: Figures) -> None:
    bought = shop.orders(16)
    with ThreadPoolExecutor(1) as paying:
        done = paying.submit(shop.pay, *bought)
        time.sleep(0.3)
        whole.mariadb.kill()
        time.sleep(5)
        whole.mariadb.start()
        done.result()
    whole.store.close()  # its connections were to a server that is gone
    figures.tell("all paid after the database's return, s", shop.wait_paid(bought))
    shop.assert_prolonged_once(bought)


def test_webhooks_repeated_out_of_order_late_and_dropped(shop: Shop) -> None:
    bought = shop.orders(10)
    shop.control("PUT", "switches", {"repeat": 3, "reorder": 4, "delay_s": 1, "api_version": "2019-05-16"})
    shop.pay(*bought[:5])
    shop.control("PUT", "switches", {"drop": 100})
    shop.pay(*bought[5:])
    shop.control("PUT", "switches", {})
    shop.wait_paid(bought[:5])
    # Nobody will tell of the others: whoever asks finds them.
    headers = shop.bearer(shop.member(), Role.ADMIN)
    done = shop.client.post("/payments/reconcile", headers=headers)
    assert done.status_code == 200
    shop.wait_paid(bought)
    shop.assert_prolonged_once(bought)


def test_a_stripe_that_hangs_slows_no_scan(shop: Shop, whole: Whole, figures: Figures) -> None:
    with whole.doors() as doors:
        doors.wait_decided(doors.began_at, 300)
        hung_at = time.monotonic()
        shop.control("PUT", "faults", {"hang_s": 600})
        with ThreadPoolExecutor(8) as buying:
            waiting = [buying.submit(shop.order) for _ in range(8)]
            time.sleep(2 * STRIPE_WITHIN_S)
            back_at = time.monotonic()
            shop.control("PUT", "faults", {})
            for order in waiting:
                order.result()
        doors.wait_decided(time.monotonic(), 100)
    calm, hanging = (
        p99(said.took_s for said in doors.said if said.status == 200 and start <= said.asked_at <= end)
        for start, end in ((doors.began_at, hung_at), (hung_at, back_at))
    )
    figures.tell("scans while calm: p99, ms", 1000 * calm)
    figures.tell("scans while Stripe hangs: p99, ms", 1000 * hanging)
    figures.tell("ratio", hanging / calm)
    whole.assert_nothing_lost(doors)
    assert hanging <= TIMES_CALM * calm + doors.longest_stall(hung_at, back_at)


def test_delayed_payments_fail_and_arrive(shop: Shop) -> None:
    arrives, fails = shop.orders(2)
    for order in (arrives, fails):
        shop.control("POST", f"sessions/{session(order)}/pay-later", {})
    wait_until(lambda: shop.states([arrives, fails]) == {"processing": 2})
    shop.control("POST", f"sessions/{session(arrives)}/succeed", {})
    shop.control("POST", f"sessions/{session(fails)}/payment-failed", {})
    wait_until(lambda: shop.states([arrives, fails]) == {"paid": 1, "failed": 1})
    shop.assert_prolonged_once([arrives])


def test_paid_a_second_ago_opens_the_gate_though_no_webhook_comes(shop: Shop, whole: Whole) -> None:
    gate = json.loads(whole.stack.demo())["gyms"][0]["gates"][0]
    shop.control("PUT", "switches", {"drop": -1})

    def scan(member: UUID) -> dict[str, Any]:
        """What a door is told that asks until it is decided, and once more where that came too late."""
        while True:
            passes = shop.client.get("/me/passes?count=1", headers=shop.bearer(member, Role.USER)).json()
            body = {"gate_id": gate["id"], "direction": "enter", "scan_id": uuid4().hex}
            body["code"] = passes["items"][0]["code"]
            headers = {"Authorization": f"Device {gate['device']}"}
            while (answer := shop.client.post("/scans", json=body, headers=headers)).status_code == 503:
                time.sleep(0.3)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            if found["reason"] != "too_late":
                return found

    paid, unpaid = shop.member(), shop.member()
    order, _ = shop.order(paid), shop.order(unpaid)
    assert scan(paid)["reason"] == "no_membership", "asked, and nothing was paid yet"
    shop.pay(order)
    assert scan(paid)["outcome"] == "entered"
    assert scan(unpaid)["reason"] == "no_membership"
    shop.assert_prolonged_once([order])
    # While Stripe hangs the door does not wait for it.
    late = shop.member()
    shop.order(late)
    shop.control("PUT", "faults", {"hang_s": 600})
    assert scan(late)["reason"] == "no_membership"
