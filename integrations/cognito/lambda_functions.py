"""Calls `list_users` and `change_role` as AWS Lambda functions."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from domain.identity.model import IdentityRefusal, Role
from domain.identity.ports import Account, AccountPage, FunctionCaller, ProviderUnavailableError, RoleAction
from integrations.cognito.client import INVOKE_POLICY, open_client
from integrations.cognito.function_events import function_event, read_account, read_page
from integrations.settings import IdentitySettings

T = TypeVar("T")


class LambdaFunctions:
    """See `domain.identity.ports.IdentityFunctions`.

    Args:
        identity: names and region of the functions.
        client: replaces the own client.
    """

    def __init__(self, identity: IdentitySettings, client: Any = None) -> None:  # noqa: ANN401 - boto3 has no types
        self._identity = identity
        self._client = client or open_client("lambda", identity.region, identity.endpoint_url, INVOKE_POLICY)

    def list_users(self, caller: FunctionCaller, limit: int, after: str | None) -> AccountPage | IdentityRefusal:
        """See `IdentityFunctions`."""
        query = {"limit": str(limit), **({"after": after} if after else {})}
        return self._invoke(
            self._identity.list_users_function, function_event(caller, "GET", "/users", query), read_page
        )

    def change_role(
        self, caller: FunctionCaller, user_id: UUID, role: Role, action: RoleAction
    ) -> Account | IdentityRefusal:
        """See `IdentityFunctions`."""
        body = {"user_id": user_id, "role": role, "action": action}
        event = function_event(caller, "POST", "/roles", body=body)
        return self._invoke(self._identity.change_role_function, event, read_account)

    def _invoke(self, name: str, event: dict[str, Any], read: Callable[[object], T]) -> T:
        try:
            answer = self._client.invoke(FunctionName=name, Payload=msgspec.json.encode(event))
            if answer.get("FunctionError"):
                raise ProviderUnavailableError(f"Service unavailable: the Lambda function {name} failed")
            return read(msgspec.json.decode(answer["Payload"].read()))
        except (ClientError, BotoCoreError, msgspec.DecodeError) as error:
            raise ProviderUnavailableError(
                f"Service unavailable: Lambda function {name} ({type(error).__name__})"
            ) from error
