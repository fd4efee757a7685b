"""The client of the commands: pages, refusals, lost answers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cluster.cli.api.client import Api
from cluster.cli.api.errors import ApiError, NotFoundError
from cluster.errors import CommandError
from deployments.gateway.problem_kinds import KINDS

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


def test_a_limit_asks_for_no_more_and_says_whether_there_is_more() -> None:
    api, seen = asked(httpx.Response(200, json={"items": [{"id": 1}, {"id": 2}], "next": "a"}))
    listed = api.all("/gyms", 2)
    assert (len(listed.items), listed.more) == (2, True)
    assert seen[0].url.params["limit"] == "2"


def test_what_is_no_list_is_told_of() -> None:
    api, _ = asked(httpx.Response(200, json={"hello": "world"}))
    assert "FITMONITOR_URL" in str(refused(lambda: api.all("/gyms")))


def test_a_problem_is_one_line_with_its_mend() -> None:
    api, _ = asked(problem("last_admin", "This is the last admin."))
    error = refused(lambda: api.delete("/users/1"))
    assert isinstance(error, ApiError)
    assert (error.code, error.status, error.exit_code) == ("last_admin", 409, 1)
    assert str(error) == "This is the last admin: make somebody else an admin first"


def test_a_mend_that_the_detail_says_already_is_not_said_twice() -> None:
    api, _ = asked(problem("image_unreadable", "send a JPEG, PNG or WebP picture; `detail` says more"))
    assert str(refused(lambda: api.get("/x"))).count("WebP") == 1


def test_fields_that_do_not_fit_are_named() -> None:
    fields = [{"field": "capacity", "detail": "is too small"}, {"field": "name", "detail": "is missing"}]
    api, _ = asked(problem("invalid_request", "The request does not fit.", fields=fields))
    told = str(refused(lambda: api.post("/gyms", {})))
    assert told == "The request does not fit (capacity is too small; name is missing)"


@pytest.mark.parametrize("code", [code for code in KINDS if code.startswith("unknown_")])
def test_what_is_unknown_ends_with_4_and_names_a_command_that_lists(code: str) -> None:
    api, _ = asked(problem(code))
    error = refused(lambda: api.get("/x"))
    assert isinstance(error, ApiError)
    assert error.exit_code == NotFoundError.exit_code == 4
    assert "GET " not in str(error), "the mend is one of the command line"


@pytest.mark.parametrize("code", list(KINDS))
def test_no_refusal_advises_a_call_of_http(code: str) -> None:
    api, _ = asked(*[problem(code)] * 9, patience_s=0.0)
    told = str(refused(lambda: api.get("/x")))
    assert not any(word in told for word in ("GET ", "POST ", "DELETE ", "If-Match", "`detail`", "`fields`")), told


def test_a_code_of_a_later_version_is_told_as_it_is() -> None:
    api, _ = asked(problem("full_moon", "Not tonight."))
    assert str(refused(lambda: api.get("/x"))) == "Not tonight"


def test_an_internal_error_names_its_request() -> None:
    api, _ = asked(problem("internal_error", "Something went wrong here.", request_id="r-17"))
    assert "r-17" in str(refused(lambda: api.get("/x")))


@pytest.mark.parametrize("body", ["<html>", "[]", "{}"])
def test_another_server_is_told_from_this_system(body: str) -> None:
    api, _ = asked(httpx.Response(404, text=body))
    assert "is not one of FIT Monitor (404)" in str(refused(lambda: api.get("/x?token=secret")))
    api, _ = asked(httpx.Response(200, text="<html>"))
    assert "is not one of FIT Monitor" in str(refused(lambda: api.get("/x")))


def test_a_bad_token_says_what_to_set() -> None:
    api, _ = asked(problem("unauthenticated", "The token is not valid here, or no longer."))
    assert "FITMONITOR_TOKEN" in str(refused(lambda: api.get("/gyms")))


def test_nobody_there_is_told_at_once() -> None:
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
def test_a_lost_answer_is_asked_for_again_only_where_nothing_is_done_twice(lost: Answer) -> None:
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


def test_every_time_the_same_key_and_body_are_sent() -> None:
    api, seen = asked(LOST, LOST, httpx.Response(201, json={"id": 1}))
    assert api.post("/desk-payments", {"plan_id": 1}, key="k-1") == {"id": 1}
    assert [(request.headers["Idempotency-Key"], json.loads(request.content)) for request in seen] == [
        ("k-1", {"plan_id": 1})
    ] * 3


def test_without_any_answer_the_key_is_told() -> None:
    for last in (LOST, problem("unavailable", "A part is away.")):
        api, _ = asked(*[last] * 3, patience_s=0.0)
        told = str(refused(lambda api=api: api.post("/desk-payments", {}, key="k-1")))  # type: ignore[misc]
        assert "--key k-1" in told, last


def test_a_refusal_that_nothing_was_done_for_does_not_speak_of_the_key() -> None:
    api, seen = asked(problem("order_not_paid", "It was not paid."))
    assert "--key" not in str(refused(lambda: api.post("/orders/1/refunds", {}, key="k-1")))
    assert len(seen) == 1


def test_a_key_in_use_is_waited_for() -> None:
    api, seen = asked(problem("idempotency_key_in_use"), httpx.Response(200, json={"id": 1}))
    assert api.post("/plans", {}, key="k") == {"id": 1}
    assert len(seen) == 2


def test_too_many_requests_are_waited_for_whatever_is_asked() -> None:
    api, seen = asked(problem("too_many_requests"), httpx.Response(200, json={}))
    api.patch("/x", {}, '"1"')
    assert len(seen) == 2


def test_no_wait_goes_past_the_patience() -> None:
    late = httpx.Response(429, json={"code": "too_many_requests", "detail": "Slow."}, headers={"Retry-After": "60"})
    api, seen = asked(late)
    assert "Slow" in str(refused(lambda: api.get("/x")))
    assert len(seen) == 1


def test_an_interrupted_payment_tells_its_key() -> None:
    api, _ = asked()

    def interrupted(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    api = Api(httpx.Client(base_url="http://gym.test/api", transport=httpx.MockTransport(interrupted)))
    assert "--key k-1" in str(refused(lambda: api.post("/desk-payments", {}, key="k-1")))
    with pytest.raises(KeyboardInterrupt):
        api.get("/gyms")


def test_versions_are_named_as_they_were_read_or_as_somebody_says() -> None:
    api, seen = asked(httpx.Response(200, json={"id": 1}, headers={"ETag": '"7"'}), *[httpx.Response(200, json={})] * 2)
    read = api.read("/gyms/1")
    api.patch("/gyms/1", {}, read.etag_of(None))
    api.patch("/gyms/1", {}, read.etag_of(3))
    assert [request.headers.get("If-Match") for request in seen] == [None, '"7"', '"3"']
