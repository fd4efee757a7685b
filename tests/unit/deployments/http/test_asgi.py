"""What all calls share: ids, headers, limits of the body, and a problem whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from domain.identity.model import Role
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b" " * size


@pytest.mark.parametrize("path", ["/nothing", "/gyms/", "/Gyms", "/docs/", "/scans/", "//", "/gyms/x/y/z"])
async def test_a_path_that_is_not_served_is_404(harness: Harness, path: str) -> None:
    answer = await harness.client.get(path)
    assert answer.status_code in {401, 404}, answer.text
    if path != "/scans/":
        assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/scans", "POST"),
        ("PUT", "/scans", "POST"),
        ("PUT", "/me", "DELETE, GET, HEAD, PATCH"),
        ("PATCH", "/gyms/x/gates", "GET, HEAD, POST"),
        ("GET", "/devices/x", "DELETE"),
        ("OPTIONS", "/health", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_served_is_405_with_those_that_are(
    harness: Harness, method: str, path: str, allow: str
) -> None:
    answer = await harness.client.request(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allow


async def test_head_is_get(harness: Harness) -> None:
    assert (await harness.client.head("/health")).status_code == 200


@pytest.mark.parametrize("path", ["/scans", "/scans/s/annul"])
async def test_a_body_too_large_is_413_however_it_comes(harness: Harness, path: str) -> None:
    at = harness.gym_with_gate()
    for content in (b" " * 4097, pieces(2000, 2000, 2000)):
        answer = await harness.client.post(path, content=content, headers=at.headers | JSON)
        assert_problem(answer, 413, "body_too_large")
        assert answer.headers["connection"] == "close"
    fits = await harness.client.post(path, content=pieces(2000, 2000), headers=at.headers | JSON)
    assert_problem(fits, 400, "malformed_request")


@pytest.mark.parametrize("path", ["/scans", "/scans/s/annul"])
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_a_body_that_is_not_json_by_name_is_415(harness: Harness, path: str, media_type: str) -> None:
    at = harness.gym_with_gate()
    headers = at.headers | ({"Content-Type": media_type} if media_type else {})
    assert_problem(await harness.client.post(path, content=b"{}", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_be_called_json(harness: Harness, media_type: str) -> None:
    at = harness.gym_with_gate()
    for path in ("/scans", "/scans/s/annul"):
        answer = await harness.client.post(path, content=b"{}", headers=at.headers | {"Content-Type": media_type})
        assert answer.status_code in {200, 422}


async def test_malformed_json_is_400_and_json_that_does_not_fit_422_with_its_fields(harness: Harness) -> None:
    at, admin = harness.gym_with_gate(), harness.bearer(Role.ADMIN)
    url = f"/gyms/{at.gym}/gates"
    assert_problem(await harness.client.post(url, content=b"{", headers=admin | JSON), 400, "malformed_request")
    problem = assert_problem(await harness.client.post(url, json={"name": " "}, headers=admin), 422, "invalid_request")
    assert {fault["field"] for fault in problem["fields"]} == {"name", "serves"}
    problem = assert_problem(await harness.client.get("/gyms?limit=0", headers=admin), 422, "invalid_request")
    assert [fault["field"] for fault in problem["fields"]] == ["limit"]
    problem = assert_problem(await harness.client.get("/gyms/1", headers=admin), 422, "invalid_request")
    assert [fault["field"] for fault in problem["fields"]] == ["gym_id"]


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "ä", "a\x01"])
async def test_an_id_that_is_not_sane_is_not_taken_over(harness: Harness, sent: str) -> None:
    answer = await harness.client.get("/health", headers={b"X-Request-Id": sent.encode()})
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 36
    taken = await harness.client.get("/health", headers={"X-Request-Id": "a.B_c-1"})
    assert taken.headers["x-request-id"] == "a.B_c-1"


async def test_every_answer_has_the_security_headers(harness: Harness) -> None:
    for path in ("/health", "/nothing", "/me", "/docs"):
        answer = await harness.client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] in {"no-store", "no-cache"}
    assert (await harness.client.get("/me", headers=harness.bearer(Role.USER))).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/gyms", "/scans"])
async def test_what_nobody_foresaw_is_500_without_details(
    harness: Harness, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    await harness.client.get("/me", headers=staff)

    def fails(*_: object, **__: object) -> None:
        raise KeyError("a secret of ours")

    if path == "/scans":
        harness.scans._commands.decide = fails  # type: ignore[method-assign, assignment]  # noqa: SLF001 - a bug, played
        answer = await harness.scan(at, "x")
    else:
        harness.gym.fails = KeyError("a secret of ours")
        answer = await harness.client.get(path, headers=staff)
    problem = assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert problem["request_id"] in capsys.readouterr().out


async def test_requests_are_logged_by_their_ids_and_without_what_they_carry(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    at = harness.gym_with_gate()
    await harness.client.get("/me?secret=1", headers={"X-Request-Id": "id-1", "Authorization": "Bearer secret"})
    await harness.client.get("/health", headers={"X-Request-Id": "id-2"})
    await harness.client.post("/scans", content=b"secret", headers=at.headers | JSON | {"X-Request-Id": "id-3"})
    logged = capsys.readouterr().out
    for part in ("id-1", "id-2", "id-3", "unauthenticated", "malformed_request", "/me", "/health", "/scans"):
        assert part in logged
    assert "secret" not in logged
    assert "s" * 43 not in logged


async def drive(
    harness: Harness, messages: list[dict[str, Any]], headers: list[tuple[bytes, bytes]], path: str = "/api/scans"
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "root_path": "/api", "headers": headers}
    await harness.public(scope, receive, send)
    return sent


async def test_nobody_is_answered_who_left_while_sending(harness: Harness) -> None:
    headers = [(b"content-length", b"10"), (b"content-type", b"application/json")]
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert await drive(harness, [part, {"type": "http.disconnect"}], headers) == []


async def test_a_body_that_never_comes_is_408(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.http.body_reading._WITHIN_S", 0.05)
    headers = [(b"content-length", b"10"), (b"content-type", b"application/json")]
    monkeypatch.setattr("deployments.http.body_reading._DRAINED_S", 0.05)
    start, _body = await drive(harness, [{"type": "http.request", "body": b"{", "more_body": True}], headers)
    assert start["status"] == 408


async def test_a_length_that_lies_does_not_let_more_in(harness: Harness) -> None:
    headers = [(b"content-length", b"10"), (b"content-type", b"application/json")]
    start, _body = await drive(harness, [{"type": "http.request", "body": b" " * 5000, "more_body": False}], headers)
    assert start["status"] == 413


async def test_websockets_are_turned_away(harness: Harness) -> None:
    sent = []

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await harness.shell({"type": "websocket", "path": "/api/scans", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]


async def test_serving_begins_and_ends_with_its_parts(harness: Harness) -> None:
    steps: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        steps.append(message["type"])

    await harness.shell({"type": "lifespan"}, receive, send)
    assert steps == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_serve_s_server_names_the_request_itself(harness: Harness) -> None:
    harness.shell._names_request = False  # noqa: SLF001 - as the deployment sets it
    answer = await harness.client.get("/health")
    assert "x-request-id" not in answer.headers


async def test_another_mount_point_is_served_as_well(harness: Harness) -> None:
    for root in ("", "/elsewhere/api"):
        gateway = httpx.ASGITransport(harness.shell, root_path=root)
        async with httpx.AsyncClient(transport=gateway, base_url="http://gym.test") as client:
            assert (await client.get(f"{root}/health")).json() == {"alive": True}
        scanner = httpx.ASGITransport(harness.scanner, root_path=f"{root}/scans")
        async with httpx.AsyncClient(transport=scanner, base_url="http://gym.test") as client:
            assert (await client.post(f"{root}/scans", json={})).status_code == 401
            assert (await client.get(f"{root}/scans/one")).status_code == 401
