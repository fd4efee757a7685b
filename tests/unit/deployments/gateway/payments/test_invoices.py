"""Invoices and credit notes over the interface: as data, as a PDF, as a page."""

import pytest

from domain.identity.model import Role
from domain.ids import new_id
from integrations.rendering.invoices import PAGE_POLICY
from tests.unit.deployments.gateway.purchases import Json, bought, newcomer
from tests.unit.deployments.harness import Harness, assert_problem
from tests.web_pages import assert_keeps_policy

pytestmark = pytest.mark.anyio

FORMS = ("", ".pdf", ".html")


async def invoiced(harness: Harness, headers: dict[str, str]) -> Json:
    """An order with its invoice and, as it was given back, a credit note."""
    await harness.client.patch(
        "/company",
        json={"name": "Gyms <Ltd>", "address": "Quay 7", "vat_number": "DE123456789", "vat_rate_bp": 1900},
        headers=harness.bearer(Role.ADMIN),
    )
    order = await bought(harness, headers)
    answer = await harness.client.post(
        f"/orders/{order['id']}/refunds", json={"amount": 400, "reason": "ill"}, headers=harness.bearer(Role.ADMIN)
    )
    whole: Json = answer.json()
    return whole


async def test_an_invoice_is_data_and_its_credit_note_refers_to_it(harness: Harness) -> None:
    member, mia = newcomer(harness)
    order = await invoiced(harness, mia)
    first, credit = [
        (await harness.client.get(f"/invoices/{one['id']}", headers=mia)).json() for one in order["invoices"]
    ]
    assert first == {
        "id": order["invoices"][0]["id"],
        "number": "000001",
        "kind": "invoice",
        "order_id": order["id"],
        "member_id": str(member),
        "issued_on": "2026-03-02",
        "gross": {"amount": 1000, "currency": "EUR"},
        "net": {"amount": 840, "currency": "EUR"},
        "vat": {"amount": 160, "currency": "EUR"},
        "vat_rate_bp": 1900,
        "refers_to": None,
        "pdf": f"/api/invoices/{order['invoices'][0]['id']}.pdf",
    }
    assert (credit["kind"], credit["number"], credit["refers_to"]) == ("credit_note", "000002", "000001")
    assert [credit[name]["amount"] for name in ("gross", "net", "vat")] == [-400, -336, -64]


async def test_an_invoice_is_a_pdf_where_its_address_says(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await invoiced(harness, mia)
    for one in order["invoices"]:
        answer = await harness.client.get(one["pdf"].removeprefix("/api"), headers=mia)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == f'inline; filename="{one["kind"]}-{one["number"]}.pdf"'
        assert answer.content.startswith(b"%PDF-")
        assert answer.content.rstrip().endswith(b"%%EOF")


async def test_an_invoice_is_a_page_that_fetches_nothing_and_runs_nothing(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await invoiced(harness, mia)
    page = await harness.client.get(f"/invoices/{order['invoices'][0]['id']}.html", headers=mia)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers.get_list("content-security-policy") == [PAGE_POLICY]
    assert_keeps_policy(page.text, PAGE_POLICY)
    for said in ("000001", "Mia Moll", "Way 3", "50667 Cologne", "Gyms &lt;Ltd&gt;", "DE123456789", "10.00", "1.60"):
        assert said in page.text
    assert "<Ltd>" not in page.text


async def test_an_invoice_stays_as_it_was_issued(harness: Harness) -> None:
    _, mia = newcomer(harness)
    url = f"/invoices/{(await invoiced(harness, mia))['invoices'][0]['id']}"
    before = [(await harness.client.get(f"{url}{form}", headers=mia)).text for form in ("", ".html")]
    change = {"name": "Others", "address": "Elsewhere", "vat_rate_bp": 700}
    await harness.client.patch("/company", json=change, headers=harness.bearer(Role.ADMIN))
    assert [(await harness.client.get(f"{url}{form}", headers=mia)).text for form in ("", ".html")] == before


async def test_an_invoice_is_its_member_s_and_the_staff_s(harness: Harness) -> None:
    _, mia = newcomer(harness)
    _, eve = newcomer(harness)
    url = f"/invoices/{(await invoiced(harness, mia))['invoices'][0]['id']}"
    nobody = f"/invoices/{new_id()}"
    for form in FORMS:
        for staff in (harness.bearer(Role.STAFF), harness.bearer(Role.ADMIN)):
            assert (await harness.client.get(f"{url}{form}", headers=staff)).status_code == 200
            assert_problem(await harness.client.get(f"{nobody}{form}", headers=staff), 404, "unknown_invoice")
        others = assert_problem(await harness.client.get(f"{url}{form}", headers=eve), 404, "unknown_invoice")
        unknown = assert_problem(await harness.client.get(f"{nobody}{form}", headers=eve), 404, "unknown_invoice")
        assert others["detail"] == unknown["detail"], "nothing tells it apart"
        assert_problem(await harness.client.get(f"{url}{form}"), 401, "unauthenticated")
        assert_problem(await harness.client.get(f"/invoices/000001{form}", headers=mia), 422, "invalid_request")


async def test_invoices_are_listed_newest_first_a_page_at_a_time(harness: Harness) -> None:
    member, mia = newcomer(harness)
    _, eve = newcomer(harness)
    await invoiced(harness, mia)
    await bought(harness, eve)
    await bought(harness, mia)
    for path, headers in (("/me/invoices", mia), (f"/members/{member}/invoices", harness.bearer(Role.STAFF))):
        first = (await harness.client.get(path, params={"limit": 2}, headers=headers)).json()
        rest = (await harness.client.get(path, params={"limit": 2, "after": first["next"]}, headers=headers)).json()
        assert [one["number"] for one in first["items"] + rest["items"]] == ["000004", "000002", "000001"]
        assert (len(first["items"]), rest["next"]) == (2, None)
    assert_problem(await harness.client.get(f"/members/{member}/invoices", headers=mia), 403, "forbidden")
