"""A member's passes."""

import pytest

from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio


async def test_passes_are_the_caller_s_own(harness: Harness) -> None:
    user_id = new_id()
    headers = harness.bearer(Role.USER, user_id=user_id)
    items = (await harness.client.get("/me/passes", headers=headers)).json()["items"]
    assert len(items) == 40
    assert items[0] == {
        "code": f"{user_id}:0",
        "issued_at": "2026-03-02T12:00:00Z",
        "good_from": "2026-03-02T11:59:50Z",
        "good_until": "2026-03-02T12:00:45Z",
    }
    assert len((await harness.client.get("/me/passes?count=1", headers=headers)).json()["items"]) == 1
    for count in (0, 41, "x"):
        answer = await harness.client.get(f"/me/passes?count={count}", headers=headers)
        assert_problem(answer, 422, "invalid_request")
    for kind, media_type in (("png", "image/png"), ("svg", "image/svg+xml")):
        picture = await harness.client.get(f"/me/pass.{kind}", headers=headers)
        assert picture.headers["content-type"] == media_type
        assert picture.content == f"{kind}:{user_id}".encode()
        assert picture.headers["cache-control"] == "no-store"
