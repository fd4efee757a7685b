"""Opens the systems behind Identity: Cognito and AWS Lambda if a user pool is configured, else the local provider."""

from deployments.identity.backend import IdentityBackend
from deployments.identity.local_functions import LocalFunctions, LocalTriggers
from domain.clock import Clock, system_clock
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.lambda_functions import LambdaFunctions
from integrations.cognito.provider import CognitoProvider
from integrations.local_identity.provider import LocalProvider
from integrations.mail import open_mailer
from integrations.settings import Settings

# How long the slower answer takes: a write and a mail nearby, or several calls of Cognito.
_LOCAL_TAKES_S, _COGNITO_TAKES_S = 0.1, 0.8


def open_backend(settings: Settings, clock: Clock = system_clock) -> IdentityBackend:
    """Open the backend that the settings configure."""
    mailer = open_mailer(settings)
    identity = settings.identity
    if identity.user_pool_id:
        directory = CognitoDirectory(identity.user_pool_id, region=identity.region, endpoint_url=identity.endpoint_url)
        return IdentityBackend(
            CognitoProvider(identity), directory, LambdaFunctions(identity), mailer, _COGNITO_TAKES_S
        )
    local = LocalProvider(settings, mailer, clock)
    local.triggers = LocalTriggers(local)
    return IdentityBackend(local, local, LocalFunctions(local), mailer, _LOCAL_TAKES_S)
