"""The systems behind Identity: Cognito and AWS Lambda if a user pool is configured, else the local provider."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deployments.identity.local_functions import LocalFunctions, LocalTriggers
from domain.clock import Clock, system_clock
from domain.identity.ports import Directory, IdentityFunctions, IdentityProvider, Mailer
from integrations.cognito.directory import CognitoDirectory
from integrations.cognito.lambda_functions import LambdaFunctions
from integrations.cognito.provider import CognitoProvider
from integrations.local_identity.provider import LocalProvider
from integrations.mail import open_mailer
from integrations.settings import Settings

# How long the slower answer takes: a write and a mail nearby, or several calls of Cognito.
_LOCAL_TAKES_S, _COGNITO_TAKES_S = 0.1, 0.8


@dataclass(frozen=True, slots=True)
class IdentityBackend:
    """The provider of accounts, its directory, its functions, and mail.

    Args:
        answer_takes_s: minimum duration of answers that must not reveal whether an account exists.
    """

    provider: IdentityProvider
    directory: Directory
    functions: IdentityFunctions
    mailer: Mailer
    answer_takes_s: float = 0.0

    @contextmanager
    def equal_time(self) -> Iterator[None]:
        """Take at least `answer_takes_s`, so that the duration does not reveal whether an account exists."""
        begun = time.monotonic()
        try:
            yield
        finally:
            time.sleep(max(0.0, begun + self.answer_takes_s - time.monotonic()))

    @property
    def local(self) -> LocalProvider | None:
        """The local provider; None with Cognito."""
        return self.provider if isinstance(self.provider, LocalProvider) else None


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
