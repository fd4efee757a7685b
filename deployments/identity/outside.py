"""What stands behind identity: Cognito and AWS Lambda where a user pool is named, else the local provider."""

from dataclasses import dataclass

from deployments.identity.local_functions import LocalFunctions, LocalTriggers
from domain.clock import Clock, system_clock
from domain.identity.ports import Directory, IdentityFunctions, IdentityProvider, Mailer
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.provider import CognitoProvider
from integrations.lambda_functions import LambdaFunctions
from integrations.local_identity.provider import LocalProvider
from integrations.mail import mailer_of
from integrations.settings import Settings


@dataclass(frozen=True, slots=True)
class Outside:
    """The provider of accounts, its directory, its functions, and mail."""

    provider: IdentityProvider
    directory: Directory
    functions: IdentityFunctions
    mailer: Mailer

    @property
    def local(self) -> LocalProvider | None:
        """The provider, where it is the local one."""
        return self.provider if isinstance(self.provider, LocalProvider) else None


def outside_of(settings: Settings, clock: Clock = system_clock) -> Outside:
    """What the settings name."""
    mailer = mailer_of(settings)
    identity = settings.identity
    if identity.user_pool_id:
        directory = CognitoDirectory(identity.user_pool_id, region=identity.region, endpoint_url=identity.endpoint_url)
        return Outside(CognitoProvider(identity), directory, LambdaFunctions(identity), mailer)
    local = LocalProvider(settings, mailer, clock)
    local.triggers = LocalTriggers(local)
    return Outside(local, local, LocalFunctions(local), mailer)
