"""Adds new users to the group `User`, and the group to their tokens from the first one on.

It is a trigger of the user pool. `PostConfirmation` adds the group. `PreTokenGeneration` (V1 and V2) makes sure that
`cognito:groups` has it, also for accounts that were created otherwise; V2 adds email address and name to access tokens.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes.cognito_user_pool_event import (
    PostConfirmationTriggerEvent,
    PreTokenGenerationTriggerEvent,
    PreTokenGenerationV2TriggerEvent,
)

from domain.identity.model import Role
from domain.identity.ports import Directory, ProviderUnavailableError
from integrations.cognito.client import TRIGGER_TIME_LIMIT_S
from integrations.time_limit import time_limit
from lambdas.admin_calls import pool_directory

logger = Logger(service="assign_default_role")
_directory = lru_cache(maxsize=4)(pool_directory)  # kept while the function is warm
_IN_ACCESS_TOKENS = ("email", "name")
_V2 = "2"


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle an event of Cognito. It returns the event, whatever fails."""
    try:
        directory = _directory(str(event.get("userPoolId", "")))
    except Exception as error:  # noqa: BLE001 - whatever it is
        # Cognito refuses a sign-in whose trigger fails, and a missing group is no reason to lock a user out.
        fields = {"trigger": event.get("triggerSource"), "error": type(error).__name__}
        logger.error("role_not_assigned", extra=fields)  # noqa: TRY400 - its text may contain personal data
        return event
    with time_limit(TRIGGER_TIME_LIMIT_S):
        return assign(event, directory)


def assign(event: dict[str, Any], directory: Directory) -> dict[str, Any]:
    """Handle the event with a directory. Idempotent."""
    source = str(event.get("triggerSource", ""))
    try:
        if source == "PostConfirmation_ConfirmSignUp":
            confirmed = PostConfirmationTriggerEvent(event)
            directory.add_to_group(UUID(confirmed.request.user_attributes["sub"]), Role.USER)
        elif source.startswith("TokenGeneration_"):
            _add_to_tokens(event)
            _add_to_group(event, directory)
    except (ProviderUnavailableError, KeyError, ValueError, TypeError, AttributeError) as error:
        logger.error("role_not_assigned", extra={"trigger": source, "error": type(error).__name__})  # noqa: TRY400 - as above
    return event


def _add_to_tokens(event: dict[str, Any]) -> None:
    request = PreTokenGenerationTriggerEvent(event).request
    configuration = request.group_configuration
    groups = [*(configuration.groups_to_override or [])]
    overridden = {
        "groupsToOverride": groups if Role.USER in groups else [*groups, Role.USER.value],
        "iamRolesToOverride": configuration.iam_roles_to_override or [],
        "preferredRole": configuration.preferred_role,
    }
    if str(event.get("version")) == _V2:
        attributes: Mapping[str, str] = PreTokenGenerationV2TriggerEvent(event).request.user_attributes
        claims = {name: attributes[name] for name in _IN_ACCESS_TOKENS if attributes.get(name)}
        event["response"] = {
            "claimsAndScopeOverrideDetails": {
                "accessTokenGeneration": {"claimsToAddOrOverride": claims},
                "groupOverrideDetails": overridden,
            }
        }
    else:
        event["response"] = {"claimsOverrideDetails": {"groupOverrideDetails": overridden}}


def _add_to_group(event: dict[str, Any], directory: Directory) -> None:
    """Add the group to an account that an admin or another provider created: no confirmation has added it."""
    request = PreTokenGenerationTriggerEvent(event).request
    if Role.USER not in (request.group_configuration.groups_to_override or []):
        directory.add_to_group(UUID(request.user_attributes["sub"]), Role.USER)
