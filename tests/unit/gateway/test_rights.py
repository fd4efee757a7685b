"""The table of rights, walked: every route of the OpenAPI document, by everybody."""

from collections.abc import Iterator
from typing import Any

import pytest

from deployments.gateway.rights import RIGHTS, Right
from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.gateway.rig import GymWithGate, Rig, assert_problem

pytestmark = pytest.mark.anyio

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/scans"): {"code": "x", "direction": "auto", "scan_id": "s"},
    ("POST", "/scans/{scan_id}/annul"): {"reason": "tried"},
    ("POST", "/gyms/{gym_id}/gates"): {"name": "Back door", "serves": "out"},
    ("POST", "/gates/{gate_id}/devices"): {"name": "Reader"},
}


def routes(rig: Rig) -> Iterator[tuple[str, str]]:
    for path, operations in rig.document["paths"].items():
        for method in operations:
            yield method.upper(), path


async def call(rig: Rig, at: GymWithGate, route: tuple[str, str], headers: dict[str, str]) -> int:
    method, path = route
    url = path.format(gym_id=at.gym, gate_id=at.gate, device_id=new_id(), scan_id="s")
    body = BODIES.get(route)
    if body and path == "/scans":
        body = body | {"gate_id": str(at.gate), "scan_id": str(new_id())}
    answer = await rig.client.request(method, url, headers=headers, json=body)
    if answer.status_code == 401:
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"]
    if answer.status_code == 403:
        assert_problem(answer, 403, "forbidden")
    return answer.status_code


def allowed(right: Right, role: Role | None) -> bool:
    order = [Role.USER, Role.STAFF, Role.ADMIN]
    if role is None:
        return right.device
    return right.role is not None and order.index(role) >= order.index(right.role)


async def test_every_route_has_a_right_and_every_right_a_route(rig: Rig) -> None:
    undocumented = {("GET", "/docs"), ("GET", "/openapi.json")}
    assert set(routes(rig)) == set(RIGHTS) - undocumented


async def test_everybody_reaches_what_is_theirs_and_nothing_else(rig: Rig) -> None:
    at = rig.gym_with_gate()
    revoked = rig.device(at.gate)
    rig.gym.desk.revoke_device(revoked)
    for route in routes(rig):
        right = RIGHTS[route]
        for nobody in (
            {},
            {"Authorization": "Bearer forged"},
            {"Authorization": f"Device {revoked}.{'s' * 43}"},
            {"Authorization": f"Device {at.device}.{'t' * 43}"},
        ):
            status = await call(rig, at, route, nobody)
            assert (status != 401) == right.public, (route, nobody, status)
        for role in (None, *Role):
            headers = at.headers if role is None else rig.bearer(role)
            status = await call(rig, at, route, headers)
            assert status not in {401, 405, 422, 500}, (route, role, status)
            assert (status != 403) == (right.public or allowed(right, role)), (route, role, status)
        assert right.public or await call(rig, at, route, rig.bearer()) == 403, "a user without any role"


async def test_a_route_without_a_right_is_nobodys(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RIGHTS, ("GET", "/gyms"))
    assert_problem(await rig.client.get("/gyms", headers=rig.bearer(Role.ADMIN)), 403, "forbidden")


async def test_a_right_is_checked_before_anything_is_read(rig: Rig) -> None:
    at = rig.gym_with_gate()
    for headers, status in (({}, 401), (rig.bearer(Role.STAFF), 403)):
        answer = await rig.client.post(
            f"/gyms/{at.gym}/gates", content=b"{", headers=headers | {"Content-Type": "application/json"}
        )
        assert answer.status_code == status


async def test_a_device_sees_its_own_gym_only(rig: Rig) -> None:
    at, elsewhere = rig.gym_with_gate(), rig.gym_with_gate()
    for path in ("/gyms/{}", "/gyms/{}/occupancy"):
        assert (await rig.client.get(path.format(at.gym), headers=at.headers)).status_code == 200
        assert_problem(await rig.client.get(path.format(elsewhere.gym), headers=at.headers), 403, "forbidden")


async def test_keys_that_cannot_be_had_are_not_the_callers_fault(rig: Rig) -> None:
    answer = await rig.client.get("/me", headers={"Authorization": "Bearer keys-away"})
    assert_problem(answer, 503, "unavailable")
