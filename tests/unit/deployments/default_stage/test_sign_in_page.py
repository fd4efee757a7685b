"""The existing web client's way to a token: its sign-in page, a code, and the exchange."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.harness import OTHER_ORIGIN, PUBLIC_URL
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD
from tests.web_pages import Page

pytestmark = pytest.mark.anyio

ASKED = {
    "client_id": "fitmonitor-local",
    "response_type": "code",
    "scope": "email openid phone",
    "redirect_uri": f"{OTHER_ORIGIN}/callback",
}


async def test_somebody_new_comes_from_the_client_s_link_to_a_token(stage: Stage) -> None:
    client, path = stage.harness.client, "/identity/login?" + urlencode(ASKED)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": PUBLIC_URL}

    async def send(page: Page, **entered: str) -> str:
        (form,) = page.forms
        answer = await client.post(
            f"/identity/{form.action}", content=urlencode(form.values | entered), headers=headers
        )
        return answer.text or answer.headers["location"]

    page = Page((await client.get(path)).text)
    page = Page((await client.get(f"/identity/{page.links['Create an account']}")).text)
    page = Page(await send(page, name="Ana Lima", email=EMAIL, password=PASSWORD))
    page = Page(await send(page, code=stage.harness.mailbox.code_for(EMAIL)))
    back = await send(page, password=PASSWORD)
    assert back.startswith(f"{ASKED['redirect_uri']}?code=")
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = await stage.client.get("/api/token/get", params={"code": code}, headers={"Origin": OTHER_ORIGIN})
    assert answer.status_code == 200
    assert answer.json()["roles"] == ["User"]
