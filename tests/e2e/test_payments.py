"""A membership from its checkout to its refund at the running system, paid at the sandbox that stands for Stripe."""

import httpx

from tests.e2e.api import Api
from tests.waiting import wait_until


def test_who_pays_is_let_in_and_gets_money_back(stack: Api, admin: dict[str, str]) -> None:
    client, gate = stack.client, stack.gates()[0]
    member = stack.bearer(stack.member("no membership"))

    def scan() -> dict[str, object]:
        said: dict[str, object] = client.post(
            "/scans", json=gate.scan(stack.codes(member)[0]), headers=gate.headers
        ).json()
        return said

    refused = scan()
    assert (refused["outcome"], refused["reason"], refused["remedy"]) == ("refused", "no_membership", "buy_membership")
    plan = client.get("/plans").json()["items"][0]
    bought = client.post("/checkouts", json={"plan_id": plan["id"]}, headers=member).json()
    page = httpx.URL(bought["url"])
    paid = httpx.post(page.copy_with(path=f"/_sandbox/sessions/{page.path.rpartition('/')[2]}/pay"), timeout=20)
    assert paid.status_code == 200, paid.text

    def membership() -> str:
        state: str = client.get("/me/membership", headers=member).json()["state"]
        return state

    wait_until(lambda: membership() == "active", 30, membership)
    assert scan()["outcome"] == "entered"
    (order,) = client.get("/me/orders", headers=member).json()["items"]
    assert (order["state"], order["price"]) == ("paid", plan["price"])
    (invoice,) = client.get("/me/invoices", headers=member).json()["items"]
    assert client.get(f"/invoices/{invoice['id']}.pdf", headers=member).content.startswith(b"%PDF")
    back = {"amount": order["price"]["amount"], "reason": "moved away"}
    refund = client.post(f"/orders/{order['id']}/refunds", json=back, headers=admin)
    assert refund.status_code == 200, refund.text
    (order,) = client.get("/me/orders", headers=member).json()["items"]
    assert (order["state"], order["refunded"]) == ("refunded", order["price"])
    assert membership() != "active"
    kinds = [each["kind"] for each in client.get("/me/invoices", headers=member).json()["items"]]
    assert sorted(kinds) == ["credit_note", "invoice"]
