"""Every call of the existing web client with the headers that a browser sends from a page of another origin."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from deployments.default_stage.rights import STAGE_RIGHTS
from deployments.http.rights import PUBLIC
from domain.memberships.tables import plans
from tests.unit.deployments.default_stage.test_gyms_and_machines import drawn
from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.gateway.signed_in_members import new_admin, new_member
from tests.unit.deployments.harness import OTHER_ORIGIN, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL

pytestmark = pytest.mark.anyio

BOSS = "boss@example.com"
BROWSER = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "de-DE,de;q=0.9,en;q=0.8",
    "Origin": OTHER_ORIGIN,
    "Referer": f"{OTHER_ORIGIN}/",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}
STRING = "text/plain;charset=UTF-8"
"""What `fetch` says of a string."""


@dataclass(frozen=True)
class Called:
    """A call as the client makes it; words in capitals stand for what only a running system knows."""

    status: int
    query: dict[str, Any] | None = None
    body: dict[str, Any] | None = None


CALLS: dict[tuple[str, str], Called] = {
    ("GET", "/api/token/get"): Called(200, query={"code": "CODE"}),
    ("GET", "/GetAllUsers"): Called(200),
    ("POST", "/AddUserToGroup"): Called(200, body={"userId": "ANA", "groupName": "Admin", "action": "add"}),
    ("GET", "/api/gyms"): Called(200, query={"id": 1}),
    ("GET", "/api/gyms/occupancy"): Called(200, query={"id": 1}),
    ("GET", "/api/gyms/machine/all"): Called(200),
    ("GET", "/api/gyms/machine"): Called(200, query={"id": 1}),
    ("GET", "/api/gyms/machine/user"): Called(200, query={"userSub": "ANA"}),
    ("POST", "/api/gyms/machine"): Called(200),
    ("DELETE", "/api/gyms/machine"): Called(200, query={"id": 1}),
    ("GET", "/api/gyms/machine/image"): Called(200, query={"imagePath": "IMAGE"}),
    ("POST", "/api/qr/generate"): Called(200, body={"token": "TOKEN"}),
    ("POST", "/api/qr/validate"): Called(200, body={"qrToken": "ANA"}),
    ("POST", "/api/qr/generate-machine"): Called(200, body={"machineId": 1}),
    ("POST", "/api/qr/machine"): Called(200, body={"machineId": 1, "intention": "use"}),
    ("POST", "/api/qr/gym_entrance"): Called(200, body={"token": "MEMBER"}),
    ("POST", "/api/payments/create-checkout-session"): Called(
        200,
        body={
            "amount": 2500,
            "currency": "eur",
            "successUrl": f"{OTHER_ORIGIN}/ok",
            "cancelUrl": f"{OTHER_ORIGIN}/no",
        },
    ),
    ("GET", "/api/payments/user/subscriptiondate"): Called(200),
    ("POST", "/api/payments/webhooks"): Called(400, body={"id": "evt_1"}),
    ("GET", "/openapi.json"): Called(200),
}
WITH_BODY = [call for call, called in CALLS.items() if called.body is not None]


def test_every_call_of_the_contract_is_made_here() -> None:
    assert set(CALLS) == set(STAGE_RIGHTS)


class Page:
    """The client's page, signed in as an admin; `known` has what stands for the words in capitals."""

    def __init__(self, stage: Stage, headers: dict[str, str], known: dict[str, str]) -> None:
        self.stage = stage
        self.headers = headers
        self.known = known

    async def call(
        self, method: str, path: str, *, content_type: str | None = STRING, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        called = CALLS[method, path]
        headers = BROWSER | (self.headers if headers is None else headers)
        query = urlencode({name: self.known.get(value, value) for name, value in (called.query or {}).items()})
        request: dict[str, Any] = {}
        if called.body is not None:
            request["content"] = self.body(method, path)
            headers |= {"Content-Type": content_type} if content_type is not None else {}
        elif method == "POST":
            request["data"] = {"name": "Rower", "description": "Blue", "available": "true"}
            request["files"] = {"image": ("rower.jpg", drawn(), "image/jpeg")}
        return await self.stage.client.request(method, f"{path}?{query}", headers=headers, **request)

    def body(self, method: str, path: str) -> bytes:
        body = CALLS[method, path].body or {}
        return json.dumps({name: self.known.get(value, value) for name, value in body.items()}).encode()


@pytest.fixture
async def page(stage: Stage) -> Page:
    await new_admin(stage.harness)
    stage.harness.gym_with_gate()
    ana = await new_member(stage.harness)
    headers = await stage.signed_in(BOSS)
    page = Page(stage, headers, {})
    machine = await page.call("POST", "/api/gyms/machine")
    assert machine.status_code == 200, machine.text
    with stage.harness.world.store.writing() as connection:
        connection.execute(plans.update().values(price_amount=2500))
    page.known = {
        "ANA": str(ana.id),
        "CODE": await stage.code(EMAIL, redirect_uri=f"{OTHER_ORIGIN}/callback"),
        "IMAGE": machine.json()["imagePath"],
        "MEMBER": str(stage.harness.world.member()),
        "TOKEN": headers["Authorization"].removeprefix("Bearer "),
    }
    return page


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_call_with_a_browser_s_headers_is_answered_and_may_be_read_by_the_page(
    page: Page, method: str, path: str
) -> None:
    answer = await page.call(method, path)
    assert answer.status_code == CALLS[method, path].status, answer.text
    assert answer.headers["access-control-allow-origin"] == OTHER_ORIGIN
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_browser_s_preflight_allows_the_call(page: Page, method: str, path: str) -> None:
    asked = BROWSER | {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = await page.stage.client.options(path, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OTHER_ORIGIN
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)
    refused = await page.stage.client.options(path, headers=asked | {"Origin": "https://evil.test"})
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "Text/Plain; charset=utf-8", "application/json", "application/json;charset=UTF-8"],
)
async def test_json_is_taken_by_each_name_that_a_browser_gives_it(
    page: Page, method: str, path: str, content_type: str | None
) -> None:
    answer = await page.call(method, path, content_type=content_type)
    assert answer.status_code == CALLS[method, path].status, answer.text


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
async def test_a_body_of_any_other_type_is_415(page: Page, method: str, path: str) -> None:
    for content_type in (
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream"),
        *("text/html", "text/plainer", "text/json", "application/jsonx", "image/png", "nonsense"),
    ):
        answer = await page.call(method, path, content_type=content_type)
        assert_problem(answer, 415, "unsupported_media_type")


async def test_what_is_not_json_is_malformed_whatever_its_type(page: Page) -> None:
    for content_type in (STRING, "application/json"):
        for content in (b"a=b", b"{", b"\xff"):
            headers = BROWSER | page.headers | {"Content-Type": content_type}
            answer = await page.stage.client.post("/AddUserToGroup", content=content, headers=headers)
            assert_problem(answer, 400, "malformed_request")


@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if not STAGE_RIGHTS[call].public])
async def test_a_simple_request_of_any_page_does_nothing_for_it_has_no_token(
    page: Page, method: str, path: str
) -> None:
    """A form of `text/plain` is sent without a preflight, with whatever cookies there are: they are no credential."""
    cookies = {"Cookie": "; ".join(f"{name}={page.known['TOKEN']}" for name in ("token", "session", "id_token"))}
    for more in (cookies, cookies | {"Origin": "null"}, cookies | {"Sec-Fetch-Mode": "navigate"}):
        assert_problem(await page.call(method, path, headers=more), 401, "unauthenticated")


def test_what_needs_no_token_is_a_code_is_signed_or_is_the_document() -> None:
    public = {call for call, right in STAGE_RIGHTS.items() if right.public}
    assert public == {("GET", "/api/token/get"), ("POST", "/api/payments/webhooks"), ("GET", "/openapi.json")}
    assert STAGE_RIGHTS["POST", "/api/payments/webhooks"] is PUBLIC
