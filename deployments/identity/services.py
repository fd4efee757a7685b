"""The services of the Identity deployment."""

from dataclasses import dataclass
from datetime import timedelta

from deployments.identity.attempt_limiter import AttemptLimiter
from deployments.identity.authorization_codes import AuthorizationCodeService
from deployments.identity.backend import IdentityBackend
from deployments.identity.passwords import PasswordService
from deployments.identity.sessions import SessionService
from deployments.identity.sign_in import SignInService
from deployments.identity.sign_up import SignUpService
from deployments.identity.users import UserService
from deployments.service_host import HealthService
from domain.clock import Clock, system_clock
from domain.unit_of_work import Store
from integrations.device_cookies import DeviceCookies
from integrations.settings import IdentitySettings

CALLERS_WAIT_S = 10.0  # how long a caller waits for an answer
ANSWERS_WITHIN_S = 8.5  # how long calls of the provider may take in one answer, so that the caller gets it
# Services that use nothing but the database: they have threads of their own, and their callers wait less.
DATABASE_ONLY = frozenset(service.__name__ for service in (SessionService, AuthorizationCodeService, HealthService))

AnyIdentityService = (
    SignUpService
    | SignInService
    | SessionService
    | PasswordService
    | UserService
    | AuthorizationCodeService
    | HealthService
)


@dataclass(frozen=True, slots=True)
class IdentityServices:
    """One of each."""

    sign_up: SignUpService
    sign_in: SignInService
    sessions: SessionService
    passwords: PasswordService
    users: UserService
    authorization_codes: AuthorizationCodeService
    health: HealthService


def identity_services(
    store: Store,
    backend: IdentityBackend,
    limits: IdentitySettings,
    clock: Clock = system_clock,
    *,
    devices: DeviceCookies | None = None,
    keys_kept_for: timedelta = timedelta(hours=24),
) -> IdentityServices:
    """Create the services on one database and one identity backend.

    Args:
        limits: of failed attempts.
        devices: cookies of devices that have signed in before; None: every device is unknown.
        keys_kept_for: how long it is known that an authorization code was exchanged.
    """
    limiter = AttemptLimiter(store, limits, clock, devices or DeviceCookies(None, timedelta(0)))
    return IdentityServices(
        sign_up=SignUpService(store, backend, limiter),
        sign_in=SignInService(store, clock, backend, limiter),
        sessions=SessionService(store, clock),
        passwords=PasswordService(store, clock, backend, limiter),
        users=UserService(store, clock, backend),
        authorization_codes=AuthorizationCodeService(store, clock, keys_kept_for),
        health=HealthService(store),
    )
