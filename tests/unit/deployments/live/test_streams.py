"""The live view as its clients see it."""

from dataclasses import replace

import httpx
import pytest

from deployments.http.problems import retryable
from deployments.live.schemas import SnapshotDocument, StaffSnapshotDocument
from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.gateway.signed_in_members import new_member
from tests.unit.deployments.harness import assert_problem
from tests.unit.deployments.live.replica import Client, Replica
from tests.unit.integrations.local_identity.harness import EMAIL

pytestmark = pytest.mark.anyio


async def problem(replica: Replica, client: Client, status: int, code: str) -> None:
    body = await client.body()
    answer = httpx.Response(client.status, headers=client.headers, content=body)
    assert_problem(answer, status, code)
    replica.contract.check("GET", f"/gyms/{new_id()}", answer)


async def test_a_stream_begins_with_a_snapshot_and_goes_on_with_every_change(replica: Replica) -> None:
    at = replica.harness.gym_with_gate()
    watching = replica.watch(at.gym, replica.harness.bearer(Role.USER))
    first = await watching.event()
    assert first is not None
    assert (first.name, first.data["occupancy"], first.data["capacity"]) == ("snapshot", 0, 100)
    assert len(first.data["trend"]) == 60
    assert watching.headers["content-type"].startswith("text/event-stream")
    assert watching.headers["cache-control"] == "no-store"
    SnapshotDocument.model_validate(first.data)
    await replica.harness.scan(at, replica.harness.world.member())
    replica.tell(at.gym)
    second = await watching.event()
    assert second is not None
    assert (second.data["occupancy"], second.data["trend"][-1]["entered"]) == (1, 1)
    assert (second.id or 0) > (first.id or 0)
    await watching.leave()
    assert replica.view.hub.watched() == 0


async def test_staff_see_names_members_and_devices_do_not(replica: Replica) -> None:
    at = replica.harness.gym_with_gate()
    await replica.harness.scan(at, replica.harness.world.member())
    staff = await replica.watch(at.gym, replica.harness.bearer(Role.STAFF)).event()
    assert staff is not None
    assert [one["name"] for one in staff.data["inside"]] == ["Mia"]
    assert staff.data["service"]["outcomes"] == {"entered": 1}
    StaffSnapshotDocument.model_validate(staff.data)
    for headers in (replica.harness.bearer(Role.USER), at.headers):
        seen = await replica.watch(at.gym, headers).event()
        assert seen is not None
        assert "Mia" not in str(seen.data)
        assert {"inside", "inside_count", "service"}.isdisjoint(seen.data)


async def test_a_refused_stream_gives_its_reason(replica: Replica) -> None:
    at, elsewhere = replica.harness.gym_with_gate(), replica.harness.gym_with_gate()
    user = replica.harness.bearer(Role.USER)
    await problem(replica, replica.watch(at.gym, {}), 401, "unauthenticated")
    await problem(replica, replica.watch(at.gym, {"Authorization": "Bearer forged"}), 401, "unauthenticated")
    await problem(replica, replica.watch(at.gym, replica.harness.bearer()), 403, "forbidden")
    await problem(replica, replica.watch(elsewhere.gym, at.headers), 403, "forbidden")
    await problem(replica, replica.watch(new_id(), user), 404, "unknown_gym")
    assert_problem(await replica.client.get("/nothing", headers=user), 404, "not_found")
    assert replica.view.hub.watched() == 0


async def test_an_answer_without_a_body_is_no_stream(replica: Replica) -> None:
    at = replica.harness.gym_with_gate()
    asked = replica.watch(at.gym, at.headers, "HEAD")
    assert (await asked.body(), asked.status) == (b"", 200)
    assert replica.view.hub.watched() == 0


async def test_nobody_takes_all_the_places(replica: Replica) -> None:
    at = replica.harness.gym_with_gate()
    most = replica.harness.settings.live.streams_per_principal
    user = replica.harness.bearer(Role.USER)
    open_ = [replica.watch(at.gym, user) for _ in range(most)]
    for one in open_:
        await one.event()
    await problem(replica, replica.watch(at.gym, user), 429, "too_many_requests")
    assert await replica.watch(at.gym, at.headers).event(), "others have places of their own"
    await open_[0].leave()
    assert await replica.watch(at.gym, user).event()


async def test_a_stream_ends_when_its_token_expires(replica: Replica) -> None:
    member = await new_member(replica.harness, EMAIL)
    watching = replica.watch(replica.harness.world.gym(), member.headers)
    await watching.event()
    await replica.view.watchers.confirm()
    replica.harness.world.clock.forward(2 * 3600)
    await replica.view.watchers.confirm()
    event = await watching.event()
    assert event is not None
    assert (event.name, event.data) == ("end", {"reason": "expired"})
    assert await watching.event() is None
    await watching.task
    assert replica.view.hub.watched() == 0


async def test_a_stream_ends_when_its_session_or_device_is_revoked(replica: Replica) -> None:
    at = replica.harness.gym_with_gate()
    member = await new_member(replica.harness, EMAIL)
    streams = [replica.watch(at.gym, headers) for headers in (member.headers, member.headers, at.headers)]
    others = replica.watch(at.gym, replica.harness.bearer(Role.USER))
    for one in (*streams, others):
        await one.event()
    assert (await replica.harness.client.delete("/sessions/current", headers=member.headers)).status_code == 204
    replica.harness.gym.services.devices.revoke(at.device)
    asked = len(replica.harness.gym.calls)
    await replica.view.watchers.confirm()
    assert replica.harness.gym.calls[asked:].count("session_states") <= 3, "once for all, not for each stream"
    for one in streams:
        event = await one.event()
        assert event is not None
        assert (event.name, event.data) == ("end", {"reason": "revoked"})
        assert await one.event() is None
    replica.tell(at.gym)
    assert await others.event(), "who was not revoked goes on"


async def test_who_becomes_staff_or_is_no_more_comes_back_for_the_other_view(replica: Replica) -> None:
    gym = replica.harness.world.gym()
    headers = replica.harness.bearer(Role.STAFF)
    watching = replica.watch(gym, headers)
    await watching.event()
    token = headers["Authorization"].removeprefix("Bearer ")
    caller = replica.harness.tokens.callers[token]
    for groups in ((Role.USER,), ()):
        replica.harness.tokens.callers[token] = replace(caller, groups=groups)
        await replica.view.watchers.confirm()
        event = await watching.event()
        assert event is not None
        assert event.data == {"reason": "rights_changed"}
        watching = replica.watch(gym, headers)
        if groups:
            await watching.event()
    await problem(replica, watching, 403, "forbidden")


async def test_streams_stay_open_while_the_gym_service_is_unavailable(replica: Replica) -> None:
    at = replica.harness.gym_with_gate()
    watching = replica.watch(at.gym, replica.harness.bearer(Role.USER))
    await watching.event()
    replica.harness.gym.fails = retryable("unavailable", "away")
    await replica.view.watchers.confirm()
    replica.tell(at.gym)
    event = await watching.event()
    assert event is not None
    assert event.data["degraded"] is True
    replica.harness.gym.fails = None
    await watching.leave()


async def test_the_document_says_what_data_holds(replica: Replica) -> None:
    document = (await replica.client.get("/openapi.json")).json()
    assert document["servers"] == [{"url": "/api/live"}]
    assert set(document["paths"]) == {"/gyms/{gym_id}"}
    assert {"SnapshotDocument", "StaffSnapshotDocument", "ServiceLevelDocument"} <= set(
        document["components"]["schemas"]
    )
    watch = document["paths"]["/gyms/{gym_id}"]["get"]
    assert set(watch["responses"]["200"]["content"]) == {"text/event-stream"}
    assert "401" in watch["responses"]
