"""`list_users` and `change_role`, on moto's Cognito."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.config import Config

from domain.identity.model import Role
from domain.identity.ports import Account, Directory
from domain.ids import new_id
from integrations.cognito.directory import CognitoDirectory
from lambdas.change_role import handler as change_role
from lambdas.list_users import handler as list_users
from tests.moto_server import REGION
from tests.unit.lambdas.pool import Pool, call, claims_of, read


def wish(user: UUID, role: str = "Staff", action: str = "add") -> dict[str, Any]:
    return {"user_id": str(user), "role": role, "action": action}


def test_all_users_are_listed_with_their_groups_however_many_pages_they_take(pool: Pool) -> None:
    boss = pool.user("boss@example.com", Role.ADMIN, Role.USER)
    members = {pool.user(f"m{number:03}@example.com", Role.USER) for number in range(72)}
    caller = claims_of(boss, "Admin")
    items, after, pages = [], None, 0
    while True:
        query = {"limit": "70", **({"after": after} if after else {})}
        body = read(list_users.handle(call(caller, query), pool.directory))
        assert len(body["items"]) <= 70
        items += body["items"]
        after, pages = body["next"], pages + 1
        if after is None:
            break
    assert pages == 2
    assert {UUID(item["id"]) for item in items} == members | {boss}
    assert len(items) == 73
    one = next(item for item in items if item["id"] == str(boss))
    assert one["groups"] == ["Admin", "User"]
    assert set(one) == {"id", "email", "name", "enabled", "confirmed", "created_at", "groups"}
    assert all(item["groups"] == ["User"] for item in items if item["id"] != str(boss))


def test_who_calls_is_an_admin_by_the_token_and_by_the_pool(pool: Pool) -> None:
    boss, staff = pool.user("boss@example.com", Role.ADMIN), pool.user("staff@example.com", Role.STAFF)
    former = pool.user("former@example.com", Role.USER)
    disabled = pool.user("disabled@example.com", Role.ADMIN)
    pool.client.admin_disable_user(UserPoolId=pool.id, Username=str(disabled))
    refused = [
        None,
        {},
        {"sub": "x", "cognito:groups": ["Admin"]},
        claims_of(staff, "Staff"),
        claims_of(boss, "User"),
        claims_of(former, "Admin"),
        claims_of(disabled, "Admin"),
        claims_of(new_id(), "Admin"),
        {"sub": str(boss)},
        {"sub": str(boss), "cognito:groups": "[Administrators]"},
        {"sub": str(boss), "cognito:groups": 7},
    ]
    for claims in refused:
        for answer in (
            list_users.handle(call(claims), pool.directory),
            change_role.handle(call(claims, body=wish(former)), pool.directory),
        ):
            assert read(answer, 403)["code"] == "forbidden", claims
    assert pool.groups(former) == {"User"}
    for groups in (["Admin"], "[Admin User]", "[User,Admin]", "Admin"):
        claims = {"sub": str(boss), "cognito:groups": groups}
        read(list_users.handle(call(claims), pool.directory))


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after": "nonsense"}])
def test_a_part_of_the_list_that_cannot_be_is_refused(pool: Pool, query: dict[str, str]) -> None:
    boss = pool.user("boss@example.com", Role.ADMIN)
    answer = list_users.handle(call(claims_of(boss, "Admin"), query), pool.directory)
    assert read(answer, 422)["code"] == "invalid_request"


def test_a_role_is_given_and_taken_and_again_changes_nothing(pool: Pool) -> None:
    boss, ana = pool.user("boss@example.com", Role.ADMIN), pool.user("ana@example.com", Role.USER)
    caller = claims_of(boss, "Admin")
    for action, groups in (("add", ["Staff", "User"]), ("remove", ["User"])):
        for _ in range(2):
            body = read(change_role.handle(call(caller, body=wish(ana, action=action)), pool.directory))
            assert body["groups"] == groups
            assert pool.groups(ana) == set(groups)


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "{",
        "[]",
        json.dumps({"user_id": "x", "role": "Staff", "action": "add"}),
        json.dumps({"user_id": str(UUID(int=1)), "role": "Owner", "action": "add"}),
        json.dumps({"user_id": str(UUID(int=1)), "role": "Staff", "action": "put"}),
        json.dumps({"user_id": str(UUID(int=1)), "role": "Staff"}),
    ],
)
def test_an_invalid_request_body_is_refused(pool: Pool, body: str | None) -> None:
    boss = pool.user("boss@example.com", Role.ADMIN)
    caller = claims_of(boss, "Admin")
    assert read(change_role.handle(call(caller, body=body), pool.directory), 422)["code"] == "invalid_request"
    if body:
        coded = base64.b64encode(body.encode()).decode()
        event = call(caller, body=coded, isBase64Encoded=True)
        assert read(change_role.handle(event, pool.directory), 422)["code"] == "invalid_request"


def test_a_body_in_base64_is_read(pool: Pool) -> None:
    boss, ana = pool.user("boss@example.com", Role.ADMIN), pool.user("ana@example.com")
    coded = base64.b64encode(json.dumps(wish(ana)).encode()).decode()
    event = call(claims_of(boss, "Admin"), body=coded, isBase64Encoded=True)
    assert read(change_role.handle(event, pool.directory))["groups"] == ["Staff"]
    event = call(claims_of(boss, "Admin"), body="%", isBase64Encoded=True)
    assert read(change_role.handle(event, pool.directory), 422)["code"] == "invalid_request"


def test_an_unknown_user_and_the_last_admin_are_refused(pool: Pool) -> None:
    boss = pool.user("boss@example.com", Role.ADMIN)
    disabled = pool.user("disabled@example.com", Role.ADMIN)
    pool.client.admin_disable_user(UserPoolId=pool.id, Username=str(disabled))
    caller = claims_of(boss, "Admin")
    answer = change_role.handle(call(caller, body=wish(new_id())), pool.directory)
    assert read(answer, 404)["code"] == "unknown_user"
    answer = change_role.handle(call(caller, body=wish(boss, "Admin", "remove")), pool.directory)
    assert read(answer, 409)["code"] == "last_admin", "a disabled admin administers nothing"
    assert pool.groups(boss) == {"Admin"}


class AtOnce:
    """A directory whose callers have both looked who is admin before either takes the role."""

    def __init__(self, directory: Directory, together: Barrier) -> None:
        self._directory = directory
        self._together = together
        self._looked = False

    def account(self, sub: UUID) -> Account | None:
        return self._directory.account(sub)

    def enabled_members_of(self, group: str) -> set[UUID]:
        members = self._directory.enabled_members_of(group)
        if not self._looked:
            self._looked = True
            self._together.wait(timeout=20)
        return members

    def add_to_group(self, sub: UUID, group: str) -> None:
        self._directory.add_to_group(sub, group)

    def remove_from_group(self, sub: UUID, group: str) -> None:
        self._directory.remove_from_group(sub, group)


def test_two_admins_who_take_each_other_s_role_at_once_leave_one(pool: Pool) -> None:
    one, two = pool.user("one@example.com", Role.ADMIN), pool.user("two@example.com", Role.ADMIN)
    together = Barrier(2)

    def take(by: UUID, whose: UUID) -> int:
        directory = AtOnce(pool.directory, together)
        event = call(claims_of(by, "Admin"), body=wish(whose, "Admin", "remove"))
        status: int = change_role.handle(event, directory)["statusCode"]  # type: ignore[arg-type]
        return status

    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(take, (one, two), (two, one)))
    assert 409 in statuses
    assert pool.directory.enabled_members_of("Admin")


def test_an_unavailable_pool_is_reported_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    client = boto3.client(
        "cognito-idp",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",  # noqa: S106 - of nobody
        config=Config(retries={"total_max_attempts": 1}),
    )
    directory = CognitoDirectory("eu-west-1_away", client=client)
    event = call(claims_of(new_id(), "Admin"), body=wish(new_id()))
    for handle in (list_users.handle, change_role.handle):
        assert read(handle(event, directory), 503)["code"] == "unavailable"
    assert [vars(line)["code"] for line in caplog.records if line.message == "refused"] == ["unavailable"] * 2


def test_they_run_as_aws_calls_them(in_the_cloud: Pool) -> None:
    list_users._directory.cache_clear()  # noqa: SLF001 - a function is warm for one pool
    change_role._directory.cache_clear()  # noqa: SLF001 - as above
    boss, ana = in_the_cloud.user("boss@example.com", Role.ADMIN), in_the_cloud.user("ana@example.com")
    caller = claims_of(boss, "Admin")
    assert len(read(list_users.handler(call(caller), None))["items"]) == 2
    assert read(change_role.handler(call(caller, body=wish(ana)), None))["groups"] == ["Staff"]
