"""The caller's own account."""

import pytest

from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio


async def test_a_user_is_known_from_the_first_valid_token_on(harness: Harness) -> None:
    user_id = new_id()
    headers = harness.bearer(Role.STAFF, user_id=user_id)
    me = (await harness.client.get("/me", headers=headers)).json()
    assert me == {
        "id": str(user_id),
        "email": f"{user_id}@example.org",
        "name": "Mia",
        "picture_url": None,
        "roles": ["User", "Staff"],
        "created_at": "2026-03-02T12:00:00Z",
    }
    harness.identity.calls.clear()
    await harness.client.get("/me", headers=headers)
    assert harness.identity.calls == ["UserService.user"]


async def test_an_address_belongs_to_one_account(harness: Harness) -> None:
    member = harness.world.member()
    token = harness.tokens.give(Role.USER, email=f"{member}@example.org".upper())
    assert_problem(await harness.client.get("/me", headers={"Authorization": f"Bearer {token}"}), 409, "email_in_use")
