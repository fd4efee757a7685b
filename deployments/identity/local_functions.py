"""The three Lambda functions, called in process with the local provider as their user pool."""

from typing import Any
from uuid import UUID

from domain.identity.model import IdentityRefusal, Role
from domain.identity.ports import Account, AccountPage, Directory, FunctionCaller, RoleAction
from integrations.cognito.function_events import function_event, read_account, read_page
from lambdas.assign_default_role.handler import assign
from lambdas.change_role.handler import handle as change_role
from lambdas.list_users.handler import handle as list_users


class LocalFunctions:
    """See `domain.identity.ports.IdentityFunctions`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def list_users(self, caller: FunctionCaller, limit: int, after: str | None) -> AccountPage | IdentityRefusal:
        """See `IdentityFunctions`."""
        query = {"limit": str(limit), **({"after": after} if after else {})}
        return read_page(list_users(function_event(caller, "GET", "/users", query), self._directory))

    def change_role(
        self, caller: FunctionCaller, user_id: UUID, role: Role, action: RoleAction
    ) -> Account | IdentityRefusal:
        """See `IdentityFunctions`."""
        body = {"user_id": user_id, "role": role, "action": action}
        return read_account(change_role(function_event(caller, "POST", "/roles", body=body), self._directory))


class LocalTriggers:
    """Calls `assign_default_role` where Cognito does."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def confirmed(self, account: Account) -> None:
        """PostConfirmation."""
        assign(_event("PostConfirmation_ConfirmSignUp", "1", account), self._directory)

    def groups_in_token(self, account: Account) -> tuple[str, ...]:
        """PreTokenGeneration: the groups that a token says."""
        event = assign(_event("TokenGeneration_Authentication", "2", account), self._directory)
        details = event["response"].get("claimsAndScopeOverrideDetails", {}).get("groupOverrideDetails", {})
        return tuple(details.get("groupsToOverride", account.groups))


def _event(source: str, version: str, account: Account) -> dict[str, Any]:
    return {
        "version": version,
        "triggerSource": source,
        "region": "local",
        "userPoolId": "local",
        "userName": str(account.sub),
        "callerContext": {"awsSdkVersion": "", "clientId": ""},
        "request": {
            "userAttributes": {"sub": str(account.sub), "email": account.email, "name": account.name},
            "groupConfiguration": {
                "groupsToOverride": list(account.groups),
                "iamRolesToOverride": [],
                "preferredRole": None,
            },
            "scopes": [],
        },
        "response": {},
    }
