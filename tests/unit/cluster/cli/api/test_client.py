"""The API client of the commands: pages, errors, retries."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cluster.cli.api.client import Api
from cluster.cli.api.errors import ApiError, NotFoundError
from cluster.errors import CommandError
from deployments.http.error_codes import KINDS

Answer = httpx.Response | Exception


def asked(*answers: Answer, patience_s: float = 5.0) -> tuple[Api, list[httpx.Request]]:
    """A client whose questions get these answers, and what it asks."""
    seen: list[httpx.Request] = []
    waiting = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = next(waiting)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = httpx.Client(base_url="http://gym.test/api", transport=httpx.MockTransport(handle))
    return Api(client, patience_s, pause_s=0.001), seen


def problem(code: str, detail: str = "It is so.", **further: Any) -> httpx.Response:  # noqa: ANN401 - any JSON
    status = KINDS[code].status if code in KINDS else 418
    headers = {"Retry-After": "0"} if status in {429, 503} else {}
    body = {"type": "about:blank", "title": "T", "status": status, "detail": detail, "code": code, **further}
    return httpx.Response(status, json=body, headers=headers)


def refused(call: Callable[[], object]) -> CommandError:
    with pytest.raises(CommandError) as caught:
        call()
    return caught.value


def test_a_list_is_read_to_its_end() -> None:
    pages = [
        httpx.Response(200, json={"items": [{"id": 1}, {"id": 2}], "next": "a"}),
        httpx.Response(200, json={"items": [{"id": 3}], "next": None}),
    ]
    api, seen = asked(*pages)
    listed = api.all("/gyms", retired=False, search=None)
    assert ([item["id"] for item in listed.items], listed.more) == ([1, 2, 3], False)
    assert [dict(request.url.params) for request in seen] == [
        {"limit": "200", "retired": "false"},
        {"limit": "200", "after": "a", "retired": "false"},
    ]


def test_a_limit_requests_no_more_and_tells_whether_there_is_more() -> None:
    api, seen = asked(httpx.Response(200, json={"items": [{"id": 1}, {"id": 2}], "next": "a"}))
    listed = api.all("/gyms", 2)
    assert (len(listed.items), listed.more) == (2, True)
    assert seen[0].url.params["limit"] == "2"


def test_a_response_that_is_not_a_list_is_an_error() -> None:
    api, _ = asked(httpx.Response(200, json={"hello": "world"}))
    assert "FITMONITOR_URL" in str(refused(lambda: api.all("/gyms")))


def test_a_problem_is_one_line_with_a_hint() -> None:
    api, _ = asked(problem("last_admin", "This is the last admin."))
    error = refused(lambda: api.delete("/users/1"))
    assert isinstance(error, ApiError)
    assert (error.code, error.status, error.exit_code) == ("last_admin", 409, 1)
    assert str(error) == "This is the last admin: make somebody else an admin first"


def test_a_hint_that_the_detail_contains_is_not_repeated() -> None:
    api, _ = asked(problem("image_unreadable", "send a JPEG, PNG or WebP picture; `detail` says more"))
    assert str(refused(lambda: api.get("/x"))).count("WebP") == 1


def test_invalid_fields_are_named() -> None:
    fields = [{"field": "capacity", "detail": "is too small"}, {"field": "name", "detail": "is missing"}]
    api, _ = asked(problem("invalid_request", "The request does not fit.", fields=fields))
    told = str(refused(lambda: api.post("/gyms", {})))
    assert told == "The request does not fit (capacity is too small; name is missing)"


@pytest.mark.parametrize("code", [code for code in KINDS if code.startswith("unknown_")])
def test_an_unknown_id_has_exit_code_4_and_a_command_that_lists_ids(code: str) -> None:
    api, _ = asked(problem(code))
    error = refused(lambda: api.get("/x"))
    assert isinstance(error, ApiError)
    assert error.exit_code == NotFoundError.exit_code == 4
    assert "GET " not in str(error), "the hint is one of the command line"


@pytest.mark.parametrize("code", list(KINDS))
def test_no_hint_names_an_http_call(code: str) -> None:
    api, _ = asked(*[problem(code)] * 9, patience_s=0.0)
    told = str(refused(lambda: api.get("/x")))
    assert not any(word in told for word in ("GET ", "POST ", "DELETE ", "If-Match", "`detail`", "`fields`")), told


def test_an_unknown_problem_code_has_the_detail_alone() -> None:
    api, _ = asked(problem("full_moon", "Not tonight."))
    assert str(refused(lambda: api.get("/x"))) == "Not tonight"


def test_an_internal_error_names_its_request() -> None:
    api, _ = asked(problem("internal_error", "Something went wrong here.", request_id="r-17"))
    assert "r-17" in str(refused(lambda: api.get("/x")))


@pytest.mark.parametrize("body", ["<html>", "[]", "{}"])
def test_a_response_of_another_server_is_recognised(body: str) -> None:
    api, _ = asked(httpx.Response(404, text=body))
    assert "is not one of FIT Monitor (404)" in str(refused(lambda: api.get("/x?token=secret")))
    api, _ = asked(httpx.Response(200, text="<html>"))
    assert "is not one of FIT Monitor" in str(refused(lambda: api.get("/x")))


def test_a_hint_for_an_invalid_token_names_the_variable() -> None:
    api, _ = asked(problem("unauthenticated", "The access token is invalid or expired."))
    assert "FITMONITOR_TOKEN" in str(refused(lambda: api.get("/gyms")))


def test_a_refused_connection_is_not_retried() -> None:
    api, seen = asked(httpx.ConnectError("refused"))
    told = str(refused(lambda: api.post("/gyms", {}, key="k")))
    assert told == "nothing answers at http://gym.test: start the stack with `fitmonitor up`, or check FITMONITOR_URL"
    assert len(seen) == 1


LOST = httpx.ReadError("gone")


def ways(api: Api) -> Iterator[tuple[str, Callable[[], object], bool]]:
    """Each way to ask, and whether a lost answer may be asked for again."""
    yield "get", lambda: api.get("/x"), True
    yield "content", lambda: api.content("/x"), True
    yield "with a key", lambda: api.post("/x", {}, key="k"), True
    yield "repeatable", lambda: api.post("/x", {}, repeatable=True), True
    yield "put", lambda: api.put("/x", {}), True
    yield "delete", lambda: api.delete("/x"), True
    yield "post", lambda: api.post("/x", {}), False
    yield "patch", lambda: api.patch("/x", {}, '"1"'), False
    yield "delete of a version", lambda: api.delete("/x", '"1"'), False
    yield "put of a version", lambda: api.put("/x", {}, etag='"1"'), False
    yield "upload with a key", lambda: api.upload("POST", "/x", key="k", files={"image": b""}), True
    yield "upload", lambda: api.upload("POST", "/x", files={"image": b""}), False


@pytest.mark.parametrize("lost", [LOST, httpx.Response(503, json={"code": "unavailable", "detail": "Away."})])
def test_a_lost_answer_is_retried_only_where_the_call_is_idempotent(lost: Answer) -> None:
    names = [name for name, _, _ in ways(asked()[0])]
    for number in range(len(names)):
        api, seen = asked(lost, httpx.Response(200, json={"done": True}))
        name, call, again = list(ways(api))[number]
        if again:
            call()
            assert len(seen) == 2, name
        else:
            told = str(refused(call))
            assert len(seen) == 1, name
            assert "check whether it was done" in told, name


def test_every_retry_has_the_same_key_and_body() -> None:
    api, seen = asked(LOST, LOST, httpx.Response(201, json={"id": 1}))
    assert api.post("/desk-payments", {"plan_id": 1}, key="k-1") == {"id": 1}
    assert [(request.headers["Idempotency-Key"], json.loads(request.content)) for request in seen] == [
        ("k-1", {"plan_id": 1})
    ] * 3


def test_without_an_answer_the_error_names_the_key() -> None:
    for last in (LOST, problem("unavailable", "A part is away.")):
        api, _ = asked(*[last] * 3, patience_s=0.0)
        told = str(refused(lambda api=api: api.post("/desk-payments", {}, key="k-1")))  # type: ignore[misc]
        assert "--key k-1" in told, last


def test_an_error_of_a_call_that_was_not_done_does_not_name_the_key() -> None:
    api, seen = asked(problem("order_not_paid", "It was not paid."))
    assert "--key" not in str(refused(lambda: api.post("/orders/1/refunds", {}, key="k-1")))
    assert len(seen) == 1


def test_a_key_in_use_is_waited_for() -> None:
    api, seen = asked(problem("idempotency_key_in_use"), httpx.Response(200, json={"id": 1}))
    assert api.post("/plans", {}, key="k") == {"id": 1}
    assert len(seen) == 2


def test_a_rate_limit_is_retried_for_every_call() -> None:
    api, seen = asked(problem("too_many_requests"), httpx.Response(200, json={}))
    api.patch("/x", {}, '"1"')
    assert len(seen) == 2


def test_no_retry_exceeds_the_time_limit() -> None:
    late = httpx.Response(429, json={"code": "too_many_requests", "detail": "Slow."}, headers={"Retry-After": "60"})
    api, seen = asked(late)
    assert "Slow" in str(refused(lambda: api.get("/x")))
    assert len(seen) == 1


def test_the_error_of_an_interrupted_payment_names_the_key() -> None:
    api, _ = asked()

    def interrupted(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    api = Api(httpx.Client(base_url="http://gym.test/api", transport=httpx.MockTransport(interrupted)))
    assert "--key k-1" in str(refused(lambda: api.post("/desk-payments", {}, key="k-1")))
    with pytest.raises(KeyboardInterrupt):
        api.get("/gyms")


def test_a_change_names_the_version_that_was_read_or_given() -> None:
    api, seen = asked(httpx.Response(200, json={"id": 1}, headers={"ETag": '"7"'}), *[httpx.Response(200, json={})] * 2)
    read = api.read("/gyms/1")
    api.patch("/gyms/1", {}, read.etag_of(None))
    api.patch("/gyms/1", {}, read.etag_of(3))
    assert [request.headers.get("If-Match") for request in seen] == [None, '"7"', '"3"']
