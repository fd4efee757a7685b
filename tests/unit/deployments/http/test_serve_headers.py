"""Which requests Serve need not watch, and by which id it names one."""

import re
import warnings
from typing import Any

import httpx
import pytest

from cluster.local.ray_head import ray_environment
from deployments.http.serve_headers import IMPORT_PATH, ServeHeaders, middlewares

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.serve._private.http_util import (  # what Serve itself reads of the headers
        _apply_middlewares,
        parse_disconnect_disabled_header,
        parse_request_timeout_header,
        validate_http_proxy_callback_return,
    )
    from ray.serve._private.utils import call_function_from_import_path
from tests.unit.deployments.harness import Harness

pytestmark = pytest.mark.anyio
_SERVES_OWN_S = 30.0


async def seen_by_serve(scope: dict[str, Any]) -> tuple[bool, float | None]:
    """Whether Serve leaves the client unwatched, and after how many seconds it gives up."""
    seen: list[dict[bytes, bytes]] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401 - ASGI's
        seen.append(dict(scope.get("headers", [])))

    async def nothing(*_: Any) -> Any:  # noqa: ANN401 - ASGI's
        raise AssertionError

    await ServeHeaders(app)(scope, nothing, nothing)
    [headers] = seen
    return parse_disconnect_disabled_header(headers), parse_request_timeout_header(headers, _SERVES_OWN_S)


def request(method: str, path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "headers": [(b"host", b"gym.test"), *headers]}


async def test_a_scan_is_neither_watched_nor_timed_by_serve() -> None:
    assert await seen_by_serve(request("POST", "/api/scans")) == (True, None)
    asked_otherwise = ((b"x-request-disconnect-disabled", b"?0"), (b"x-request-timeout-seconds", b"0.001"))
    assert await seen_by_serve(request("POST", "/api/scans", *asked_otherwise)) == (True, None)


async def test_who_waits_for_100_continue_is_not_told_to_send_before_the_body_is_wanted() -> None:
    assert await seen_by_serve(request("PUT", "/api/me/picture", (b"expect", b"100-continue"))) == (True, _SERVES_OWN_S)
    stream = request("GET", "/api/live/gyms/x", (b"expect", b"100-continue"))
    assert await seen_by_serve(stream) == (False, None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([], False),
        ([b"a.B_c-1"], True),
        ([b"x" * 64], True),
        ([b"x" * 65], False),
        ([b"a b"], False),
        ([b"a\xff"], False),
        ([b""], False),
        ([b"a", b"a"], False),
        ([b"a, b"], False),
    ],
)
async def test_header_body_and_log_have_one_id_behind_serve_s_server(
    harness: Harness, capsys: pytest.CaptureFixture[str], sent: list[bytes], *, kept: bool
) -> None:
    harness.shell._names_request = False  # noqa: SLF001 - as the deployment sets it
    served = _apply_middlewares(harness.shell, middlewares())  # type: ignore[arg-type]  # Ray names them loosely
    transport = httpx.ASGITransport(served, root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://gym.test/api") as client:
        answer = await client.get("/nothing", headers=[(b"X-Request-Id", each) for each in sent])
    [named] = answer.headers.get_list("x-request-id")
    assert answer.json()["request_id"] == named
    assert f"request_id={named}" in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert (named.encode() in sent) is kept
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", named)


async def test_a_stream_is_watched_and_never_timed() -> None:
    asked_otherwise = (b"x-request-timeout-seconds", b"0.001")
    assert await seen_by_serve(request("GET", "/api/live/gyms/x", asked_otherwise)) == (False, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/scans"),
        ("POST", "/api/scans/"),
        ("POST", "/api/scans/x/annul"),
        ("POST", "/scans"),
        ("GET", "/api/livestock"),
    ],
)
async def test_everything_else_is(method: str, path: str) -> None:
    assert await seen_by_serve(request(method, path)) == (False, _SERVES_OWN_S)
    assert await seen_by_serve({"type": "lifespan"}) == (False, _SERVES_OWN_S)


def test_serve_finds_it_by_the_name_in_the_stacks_environment(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    name = ray_environment(tmp_path)["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"]
    assert name == IMPORT_PATH
    found = validate_http_proxy_callback_return(call_function_from_import_path(name))
    assert [repr(each) for each in found] == [repr(each) for each in middlewares()] == ["Middleware(ServeHeaders)"]
