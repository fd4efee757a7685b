"""The Lambda functions as they are invoked, at boto3's wire level: the event that is sent, and what answers mean."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import msgspec
import pytest
from botocore.config import Config
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from domain.identity.model import IdentityProblem, IdentityRefusal, Role
from domain.identity.ports import Account, AccountPage, Directory, FunctionCaller, ProviderUnavailableError, RoleAction
from integrations.cognito.client import open_client
from integrations.cognito.lambda_functions import LambdaFunctions
from integrations.local_identity.provider import LocalProvider
from integrations.settings import IdentitySettings
from lambdas.change_role.handler import handle as change_role
from lambdas.list_users.handler import handle as list_users
from tests.mailbox import Mailbox
from tests.moto_server import NOBODYS_KEYS, REGION
from tests.unit.integrations.cognito.scripted_server import ScriptedServer, scripted_server
from tests.unit.integrations.local_identity.harness import PASSWORD, light_settings

ADMIN = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-00000000000b")
CALLER = FunctionCaller(ADMIN, ("Admin", "User"))
IDENTITY = IdentitySettings(region=REGION, list_users_function="list-them", change_role_function="change-it")
ITEM = {
    "id": str(MEMBER),
    "email": "bo@example.com",
    "name": "Bo",
    "enabled": True,
    "confirmed": False,
    "created_at": "2026-03-01T12:00:00Z",
    "groups": ["Staff", "User"],
}
ACCOUNT = Account(
    sub=MEMBER,
    email="bo@example.com",
    name="Bo",
    enabled=True,
    confirmed=False,
    created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    groups=("Staff", "User"),
)


class Invoked:
    """Functions whose next answer a test says; what they were sent is kept."""

    def __init__(self) -> None:
        client = open_client("lambda", REGION, **NOBODYS_KEYS)
        self.events: list[dict[str, Any]] = []
        client.meta.events.register("before-parameter-build.lambda.Invoke", self._keep)
        self.stubber = Stubber(client)
        self.functions = LambdaFunctions(IDENTITY, client)

    def _keep(self, params: dict[str, Any], **_: object) -> None:
        self.events.append(msgspec.json.decode(params["Payload"]))

    def answers(self, payload: bytes, name: str = "list-them", **more: str) -> None:
        """What Lambda gives of one function."""
        body = StreamingBody(BytesIO(payload), len(payload))
        answer = {"StatusCode": 200, "Payload": body, **more}
        self.stubber.add_response("invoke", answer, {"FunctionName": name, "Payload": ANY})

    def responds(self, status: int, body: object, name: str = "list-them") -> None:
        """What the function itself answers."""
        answer = {"statusCode": status, "headers": {}, "body": msgspec.json.encode(body).decode()}
        self.answers(msgspec.json.encode(answer), name)

    def list_users(self, after: str | None = None) -> AccountPage | IdentityRefusal:
        return self.functions.list_users(CALLER, 50, after)

    def change_role(self) -> Account | IdentityRefusal:
        return self.functions.change_role(CALLER, MEMBER, Role.STAFF, RoleAction.ADD)


@pytest.fixture
def invoked() -> Iterator[Invoked]:
    invoked = Invoked()
    with invoked.stubber:
        yield invoked
        invoked.stubber.assert_no_pending_responses()


# What is sent


def test_the_list_is_asked_for_as_api_gateway_would_on_the_callers_behalf(invoked: Invoked) -> None:
    invoked.responds(200, {"items": [ITEM], "next": "next"})
    assert invoked.list_users("here") == AccountPage((ACCOUNT,), "next")
    [event] = invoked.events
    assert event["version"] == "2.0"
    assert event["requestContext"]["http"]["method"] == "GET"
    assert event["requestContext"]["authorizer"]["jwt"]["claims"] == {
        "sub": str(ADMIN),
        "cognito:groups": ["Admin", "User"],
    }
    assert event["queryStringParameters"] == {"limit": "50", "after": "here"}
    assert event["body"] is None


def test_the_first_part_of_the_list_is_asked_for_without_a_place_to_begin(invoked: Invoked) -> None:
    invoked.responds(200, {"items": [], "next": None})
    assert invoked.list_users() == AccountPage((), None)
    assert invoked.events[0]["queryStringParameters"] == {"limit": "50"}


def test_a_role_is_changed_as_api_gateway_would_on_the_callers_behalf(invoked: Invoked) -> None:
    invoked.responds(200, ITEM, "change-it")
    assert invoked.change_role() == ACCOUNT
    [event] = invoked.events
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == str(ADMIN)
    assert msgspec.json.decode(event["body"]) == {"user_id": str(MEMBER), "role": "Staff", "action": "add"}
    assert event["isBase64Encoded"] is False


# What is answered


@pytest.mark.parametrize(
    ("status", "problem"),
    [(401, "forbidden"), (403, "forbidden"), (404, "unknown_user"), (409, "last_admin")],
)
def test_a_problem_of_the_function_is_a_refusal(invoked: Invoked, status: int, problem: str) -> None:
    invoked.responds(status, {"code": problem, "detail": "Why.", "status": status, "title": "x"}, "change-it")
    refusal = invoked.change_role()
    assert isinstance(refusal, IdentityRefusal)
    assert (refusal.problem.value, refusal.detail) == (problem, "Why.")


@pytest.mark.parametrize(
    ("status", "problem"), [(503, "unavailable"), (500, "internal"), (422, "invalid_request"), (418, "teapot")]
)
def test_a_problem_that_is_nobodys_answer_is_none(invoked: Invoked, status: int, problem: str) -> None:
    invoked.responds(status, {"code": problem, "detail": "Why."})
    with pytest.raises(ProviderUnavailableError, match=problem):
        invoked.list_users()


def test_a_function_that_failed_is_unavailable(invoked: Invoked) -> None:
    invoked.answers(b'{"errorMessage": "boom", "errorType": "KeyError"}', FunctionError="Unhandled")
    with pytest.raises(ProviderUnavailableError, match="list-them failed"):
        invoked.list_users()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"statusCode": 200}',
        b'{"statusCode": "200", "body": "{}"}',
        b'{"statusCode": 200, "body": null}',
        b'{"statusCode": 200, "body": ""}',
        b'{"statusCode": 200, "body": "{}"}',
        b'{"statusCode": 200, "body": "{\\"items\\": [{}], \\"next\\": null}"}',
        b'{"statusCode": 403, "body": "Forbidden"}',
        b'{"statusCode": 502, "body": "{\\"message\\": \\"Bad Gateway\\"}"}',
    ],
)
def test_an_answer_that_cannot_be_read_is_none(invoked: Invoked, payload: bytes) -> None:
    invoked.answers(payload)
    with pytest.raises(ProviderUnavailableError):
        invoked.list_users()
    invoked.answers(payload, "change-it")
    with pytest.raises(ProviderUnavailableError):
        invoked.change_role()


@pytest.mark.parametrize(
    "code",
    [
        "TooManyRequestsException",
        "ServiceException",
        "ResourceNotFoundException",
        "AccessDeniedException",
        "EC2ThrottledException",
        "RequestTooLargeException",
    ],
)
def test_a_function_that_lambda_does_not_call_is_unavailable(invoked: Invoked, code: str) -> None:
    invoked.stubber.add_client_error("invoke", code)
    with pytest.raises(ProviderUnavailableError, match="Lambda function list-them"):
        invoked.list_users()


# The way there


def impatient(url: str) -> LambdaFunctions:
    config = Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
    client = boto3.client("lambda", region_name=REGION, endpoint_url=url, config=config, **NOBODYS_KEYS)
    return LambdaFunctions(IDENTITY, client)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def test_the_function_of_the_settings_is_invoked_over_http(server: ScriptedServer) -> None:
    server.answers = [(200, msgspec.json.encode({"statusCode": 200, "body": '{"items": [], "next": null}'}))]
    assert impatient(server.url).list_users(CALLER, 50, None) == AccountPage((), None)
    assert server.paths == ["/2015-03-31/functions/list-them/invocations"]


def test_a_missing_or_slow_function_is_unavailable(server: ScriptedServer) -> None:
    with pytest.raises(ProviderUnavailableError, match="EndpointConnectionError"):
        impatient("http://127.0.0.1:9").list_users(CALLER, 50, None)
    server.may_answer.clear()
    with pytest.raises(ProviderUnavailableError, match="ReadTimeoutError"):
        impatient(server.url).list_users(CALLER, 50, None)


# Read by the functions themselves


class RunsHere:
    """In place of a client of Lambda: the handlers, in process."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._handlers = {"list-them": list_users, "change-it": change_role}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        answer = self._handlers[FunctionName](msgspec.json.decode(Payload), self._directory)
        return {"StatusCode": 200, "Payload": BytesIO(msgspec.json.encode(answer))}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[LocalProvider]:
    provider = LocalProvider(light_settings(tmp_path), Mailbox())
    yield provider
    provider.close()


def test_the_functions_read_what_is_sent_and_what_they_answer_is_read(directory: LocalProvider) -> None:
    admin, member = (directory.create(f"{name}@example.com", name, PASSWORD) for name in ("ana", "bo"))
    assert isinstance(admin, Account)
    assert isinstance(member, Account)
    directory.add_to_group(admin.sub, Role.ADMIN)
    caller = FunctionCaller(admin.sub, ("Admin",))
    functions = LambdaFunctions(IDENTITY, RunsHere(directory))
    first = functions.list_users(caller, 1, None)
    assert isinstance(first, AccountPage)
    rest = functions.list_users(caller, 1, first.next)
    assert isinstance(rest, AccountPage)
    assert {account.sub for account in (*first.items, *rest.items)} == {admin.sub, member.sub}
    changed = functions.change_role(caller, member.sub, Role.STAFF, RoleAction.ADD)
    assert changed == directory.account(member.sub)
    assert isinstance(changed, Account)
    assert changed.groups == ("Staff", "User")
    last = functions.change_role(caller, admin.sub, Role.ADMIN, RoleAction.REMOVE)
    assert isinstance(last, IdentityRefusal)
    assert last.problem is IdentityProblem.LAST_ADMIN
    nobody = functions.change_role(FunctionCaller(member.sub, ("Admin",)), member.sub, Role.ADMIN, RoleAction.ADD)
    assert isinstance(nobody, IdentityRefusal)
    assert nobody.problem is IdentityProblem.NOT_ADMIN
