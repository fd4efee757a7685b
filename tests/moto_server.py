"""Cognito as moto plays it, over HTTP on this machine: a server, user pools in it, and clients that look nothing up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.server import ThreadedMotoServer

from domain.identity.model import Role
from integrations.cognito.client import RetryPolicy, open_client
from integrations.settings import IdentitySettings

REGION = "eu-west-1"
# Given to the client itself, so that it looks for no others: not in the environment, in files, or on the network.
NOBODYS_KEYS = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}


@dataclass(frozen=True)
class MotoPool:
    """A user pool, a client of it without a secret, and what the project's settings say of them.

    Args:
        client: boto3's, of `cognito-idp`.
    """

    identity: IdentitySettings
    client: Any


UNHURRIED = RetryPolicy(connect_s=20, read_s=60, attempts=1)  # how long it takes says how busy the machine is


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a server that is up for the length of a `with`."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@cache
def _client(url: str) -> Any:  # noqa: ANN401 - boto3 makes its classes when it is asked for them, which takes a while
    return open_client("cognito-idp", REGION, url, UNHURRIED, **NOBODYS_KEYS)


def new_pool(url: str) -> MotoPool:
    """A pool as production has it: users sign in by mail, and there is a group of each role."""
    client = _client(url)
    pool_id = client.create_user_pool(
        PoolName="fitmonitor",
        UsernameAttributes=["email"],
        AutoVerifiedAttributes=["email"],
        Policies={"PasswordPolicy": {"MinimumLength": 12}},
    )["UserPool"]["Id"]
    app = client.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="fitmonitor",
        GenerateSecret=False,
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        # moto says in ID tokens only what the client may read.
        ReadAttributes=["email", "email_verified", "name"],
    )["UserPoolClient"]
    for role in Role:
        client.create_group(UserPoolId=pool_id, GroupName=role.value)
    identity = IdentitySettings(
        issuer=f"https://cognito-idp.{REGION}.amazonaws.com/{pool_id}",
        client_id=app["ClientId"],
        jwks_url=f"{url}/{pool_id}/.well-known/jwks.json",
        user_pool_id=pool_id,
        region=REGION,
        endpoint_url=url,
    )
    return MotoPool(identity, client)
