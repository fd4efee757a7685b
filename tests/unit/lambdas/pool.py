"""A user pool at moto's Cognito, and events as AWS sends them."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from domain.identity.model import Role
from domain.identity.ports import Account
from integrations.cognito.directory import CognitoDirectory
from tests.moto_server import MotoPool

PASSWORD = "correct horse 7 staple"  # noqa: S105 - of nobody


class Pool:
    """Users are made and looked at by boto3 itself, not by what is tested."""

    def __init__(self, pool: MotoPool) -> None:
        self.id = pool.identity.user_pool_id
        self.client = pool.client
        self.directory = CognitoDirectory(self.id, client=pool.client)

    def empty(self) -> None:
        """Make it what a new pool is."""
        while users := self.client.list_users(UserPoolId=self.id)["Users"]:
            for user in users:
                self.client.admin_delete_user(UserPoolId=self.id, Username=user["Username"])
        for role in Role:
            with suppress(self.client.exceptions.GroupExistsException):
                self.client.create_group(UserPoolId=self.id, GroupName=role.value)

    def user(self, email: str, *roles: Role) -> UUID:
        made = self.client.admin_create_user(
            UserPoolId=self.id,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "name", "Value": email.partition("@")[0]}],
            MessageAction="SUPPRESS",
        )["User"]
        for role in roles:
            self.client.admin_add_user_to_group(UserPoolId=self.id, Username=made["Username"], GroupName=role)
        return next(UUID(each["Value"]) for each in made["Attributes"] if each["Name"] == "sub")

    def groups(self, user: UUID) -> set[str]:
        listed = self.client.admin_list_groups_for_user(UserPoolId=self.id, Username=str(user))
        return {group["GroupName"] for group in listed["Groups"]}

    def account(self, user: UUID) -> Account:
        account = self.directory.account(user)
        assert account is not None
        return account


def call(
    claims: dict[str, Any] | None, query: dict[str, str] | None = None, body: object = None, **changes: object
) -> dict[str, Any]:
    """An event of an HTTP API with a JWT authorizer, payload 2.0."""
    authorizer = {} if claims is None else {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example.org",
            "http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
            "requestId": "request",
            "stage": "$default",
            "time": "02/Mar/2026:12:00:00 +0000",
            "timeEpoch": 1772452800000,
            **authorizer,
        },
        "isBase64Encoded": False,
    }
    if query is not None:
        event["queryStringParameters"] = query
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event | changes


def claims_of(user: UUID, *groups: str) -> dict[str, Any]:
    return {"sub": str(user), "cognito:groups": list(groups), "token_use": "access"}


def read(answer: dict[str, Any], status: int = 200) -> dict[str, Any]:
    """An answer's body; of a problem its code is in it."""
    assert answer["statusCode"] == status, answer
    body: dict[str, Any] = json.loads(answer["body"])
    expected = "application/json" if status == 200 else "application/problem+json"
    assert answer["headers"]["Content-Type"] == expected
    return body
