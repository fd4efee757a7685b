"""Puts whoever is new into the group `User`, and says so in the tokens from the first one on.

A trigger of the user pool. `PostConfirmation` adds the group; `PreTokenGeneration` (V1 and V2) makes sure that
`cognito:groups` has it, also of accounts that came another way, and V2 writes address and name into access tokens.
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
from domain.identity.ports import Directory, ProviderAwayError
from integrations.cognito.client import TRIGGER_TIME_LIMIT_S
from integrations.time_limit import time_limit
from lambdas.admin_calls import pool_directory

logger = Logger(service="assign_default_role")
_directory = lru_cache(maxsize=4)(pool_directory)  # kept while the function is warm
_IN_ACCESS_TOKENS = ("email", "name")
_V2 = "2"


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Called by Cognito; answers the event, whatever happens."""
    try:
        directory = _directory(str(event.get("userPoolId", "")))
    except Exception as error:  # noqa: BLE001 - whatever it is
        # Cognito refuses the sign-in of a user whose trigger fails: nobody is locked out for the sake of a group.
        said = {"trigger": event.get("triggerSource"), "error": type(error).__name__}
        logger.error("role_not_assigned", extra=said)  # noqa: TRY400 - its words may hold what the event says of the user
        return event
    with time_limit(TRIGGER_TIME_LIMIT_S):
        return assign(event, directory)


def assign(event: dict[str, Any], directory: Directory) -> dict[str, Any]:
    """Do what the event asks for; harmless when it is repeated."""
    source = str(event.get("triggerSource", ""))
    try:
        if source == "PostConfirmation_ConfirmSignUp":
            confirmed = PostConfirmationTriggerEvent(event)
            directory.add_to_group(UUID(confirmed.request.user_attributes["sub"]), Role.USER)
        elif source.startswith("TokenGeneration_"):
            _say_groups(event)
            _keep_group(event, directory)
    except (ProviderAwayError, KeyError, ValueError, TypeError, AttributeError) as error:
        logger.error("role_not_assigned", extra={"trigger": source, "error": type(error).__name__})  # noqa: TRY400 - as above
    return event


def _say_groups(event: dict[str, Any]) -> None:
    asked = PreTokenGenerationTriggerEvent(event)
    configuration = asked.request.group_configuration
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


def _keep_group(event: dict[str, Any], directory: Directory) -> None:
    """An account that was made by an admin or by another provider has never been confirmed: its first token adds it."""
    asked = PreTokenGenerationTriggerEvent(event)
    if Role.USER not in (asked.request.group_configuration.groups_to_override or []):
        directory.add_to_group(UUID(asked.request.user_attributes["sub"]), Role.USER)
