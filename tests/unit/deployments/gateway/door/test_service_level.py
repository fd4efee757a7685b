"""How well a gym's doors are served, as staff ask for it."""

import pytest

from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio


async def test_staff_see_scans_gates_and_devices_of_a_while(harness: Harness) -> None:
    at = harness.gym_with_gate()
    staff = harness.bearer(Role.STAFF)
    told = harness.world.clock.now.isoformat()
    await harness.scan(at, harness.world.member(), scanned_at=told)
    await harness.scan(at, "forged")
    path = f"/gyms/{at.gym}/service-level"
    found = (await harness.client.get(path, headers=staff)).json()
    assert (found["scans"], found["limited"], found["at_most"]) == (2, False, 2000)
    assert found["outcomes"] == {"entered": 1, "refused": 1}
    assert found["reasons"] == {"unknown_pass": 1}
    assert found["p95_ms"] is not None
    [gate] = found["gates"]
    assert (gate["gate_id"], gate["scans"], gate["refused"]) == (str(at.gate), 2, 1)
    [device] = found["devices"]
    assert (device["id"], device["silent"]) == (str(at.device), False)
    assert device["clock_skew_ms"] is not None
    assert_problem(await harness.client.get(f"{path}?minutes=0", headers=staff), 422, "invalid_request")
    answer = await harness.client.get(f"/gyms/{new_id()}/service-level", headers=staff)
    assert_problem(answer, 404, "unknown_gym")
