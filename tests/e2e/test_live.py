"""The live view of the running system: a scan at a gate shows on a stream that is open."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from tests.e2e.api import Api


def snapshots(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """What a stream shows."""
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_a_scan_shows_on_an_open_stream(stack: Api) -> None:
    gate = stack.gates()[0]
    member, staff = stack.bearer(stack.member()), stack.staff
    live = f"{stack.url}/api/live/gyms/{gate.gym}"
    with httpx.stream("GET", live, headers=member, timeout=60) as stream:
        shown = snapshots(stream)
        before = next(shown)["occupancy"]
        answer = stack.client.post("/scans", json=gate.scan(stack.codes(member)[0]), headers=gate.headers).json()
        assert (answer["outcome"], answer["occupancy"]) == ("entered", before + 1)
        seen = next(one for one in shown if one["occupancy"] == before + 1)
        assert sum(minute["entered"] for minute in seen["trend"]) >= 1
        assert "inside" not in seen
    with httpx.stream("GET", live, headers=staff, timeout=60) as stream:
        seen = next(snapshots(stream))
        assert seen["inside_count"] == before + 1
        assert answer["member"]["name"] in {one["name"] for one in seen["inside"]}
    service = stack.client.get(f"/gyms/{gate.gym}/service-level", headers=staff).json()
    assert service["outcomes"]["entered"] >= 1


def test_who_signs_out_sees_no_more(stack: Api) -> None:
    gym = stack.gates()[0].gym
    account = stack.demo["members"][0]
    signed_in = stack.client.post("/sessions", json={"email": account["email"], "password": account["password"]}).json()
    headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
    with httpx.stream("GET", f"{stack.url}/api/live/gyms/{gym}", headers=headers, timeout=60) as stream:
        shown = snapshots(stream)
        assert "occupancy" in next(shown)
        assert stack.client.delete("/sessions/current", headers=headers).status_code == 204
        assert [one for one in shown if "reason" in one] == [{"reason": "revoked"}], "and then it is closed"


def test_of_two_prefixes_the_longer_one_counts(stack: Api) -> None:
    own = httpx.get(f"{stack.url}/api/live/openapi.json", timeout=10).json()
    assert own["servers"] == [{"url": "/api/live"}]
    assert stack.client.get("/openapi.json").json()["servers"] == [{"url": "/api"}]
