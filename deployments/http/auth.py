"""Authentication: gate devices by their credential, users by their access token."""

import re
from dataclasses import dataclass
from uuid import UUID

from deployments.gym.devices import DeviceService
from deployments.http.confirmed_cache import ConfirmedCache, Freshness
from deployments.http.device_look_ups import DeviceLookUps
from deployments.http.ports import GymClient, IdentityClient, VerifiesTokens
from deployments.http.problems import ApiProblem, retryable, unauthenticated
from deployments.http.rate_limits import RateLimit
from deployments.http.rights import Right
from deployments.http.session_checks import Sessions
from deployments.identity.sessions import SessionService
from domain.gyms.model import DeviceKey
from domain.gyms.rules import read_credential, secret_matches
from domain.identity.model import Client, Role
from domain.identity.ports import FunctionCaller
from integrations.settings import ApiSettings
from integrations.tokens import TokenRefusal, TokenRefusedError

_SHOWN = 10_000
_LONGEST_SHOWN = 128  # a device's header has 87 characters; who pads it is asked again each time
UNKNOWN_CLIENT = Client()
_SCHEME = re.compile(r"(\S+) +(\S+)")


@dataclass(frozen=True, slots=True)
class DevicePrincipal:
    """A gate device."""

    id: UUID
    gate_id: UUID
    gym_id: UUID


@dataclass(frozen=True, slots=True)
class UserPrincipal:
    """A signed-in user. `roles` includes the roles that they imply."""

    id: UUID
    roles: frozenset[Role]
    session_id: UUID

    @property
    def is_staff(self) -> bool:
        """Whether the user has the role Staff."""
        return Role.STAFF in self.roles

    @property
    def as_function_caller(self) -> FunctionCaller:
        """The user as the caller of a Lambda function."""
        return FunctionCaller(self.id, tuple(sorted(self.roles)))


Principal = DevicePrincipal | UserPrincipal


class Authenticator:
    """Authenticates devices and users.

    Args:
        devices: cached keys of devices.
        unknown_rate: limit of unknown devices per network address.
        tokens: verifies tokens.
        sessions: checks that a token's session is active, and its rights.
    """

    def __init__(
        self, devices: ConfirmedCache[DeviceKey], unknown_rate: RateLimit, tokens: VerifiesTokens, sessions: Sessions
    ) -> None:
        self._devices = devices
        self._look_ups = DeviceLookUps(devices, unknown_rate)
        self._tokens = tokens
        self._sessions = sessions
        self._shown: dict[str, tuple[DeviceKey, DevicePrincipal]] = {}

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        return [*self._devices.dead, *self._sessions.dead]

    def start(self) -> None:
        """Start confirming the caches; requires a running event loop."""
        self._devices.start()
        self._sessions.start()

    async def close(self) -> None:
        """Stop."""
        await self._devices.close()
        await self._sessions.close()

    def recognised(self, authorization: str | None) -> DevicePrincipal | None:
        """The device that sent exactly this header before, without hashing its secret again and without waiting.

        Only while its cached key is valid and unchanged: a revoked device is refused as soon as `ConfirmedCache` knows.
        None: call `identify`.
        """
        shown = self._shown.get(authorization or "")
        if shown is None:
            return None
        key, principal = shown
        return principal if self._devices.remembered(principal.id) == key else None

    async def identify(self, authorization: str | None, client: Client = UNKNOWN_CLIENT) -> Principal:
        """The principal of an Authorization header. `client` describes a session that begins with it.

        Raises:
            ApiProblem: `unauthenticated`; `unavailable` or `busy` if it cannot be checked; `too_many_requests` if the
                address has named too many unknown devices.
        """
        if not authorization:
            raise unauthenticated("Send an access token (Bearer) or a device credential (Device) as Authorization.")
        match = _SCHEME.fullmatch(authorization)
        scheme, shown = match.groups() if match else ("", "")
        if scheme.lower() == "device":
            return await self._device(authorization, shown, client.network)
        if scheme.lower() == "bearer":
            return await self._user(shown, client)
        raise unauthenticated("The Authorization header is neither `Bearer <token>` nor `Device <id>.<secret>`.")

    async def _device(self, authorization: str, credential: str, network: str) -> DevicePrincipal:
        read = read_credential(credential)
        if read is None:
            raise unauthenticated("The device's credential is not of the form <id>.<secret>.")
        device_id, secret = read
        key = await self._look_ups.key(device_id, network)
        if key is None or not secret_matches(secret, key.secret_hash):
            raise unauthenticated("The device is not known, or its credential was revoked.")
        principal = DevicePrincipal(key.id, key.gate_id, key.gym_id)
        if len(self._shown) >= _SHOWN:
            self._shown.clear()
        if len(authorization) <= _LONGEST_SHOWN:
            self._shown[authorization] = key, principal
        return principal

    async def _user(self, token: str, client: Client) -> UserPrincipal:
        try:
            caller = await self._tokens.verify(token)
        except TokenRefusedError as refused:
            if refused.reason is TokenRefusal.KEYS_UNAVAILABLE:
                raise retryable(
                    "unavailable", "Service unavailable: the identity provider's keys.", seconds=5
                ) from refused
            raise unauthenticated("The access token is invalid or expired.", error=True) from refused
        state = self._sessions.remembered(caller) or await self._sessions.state(caller, client)
        return UserPrincipal(caller.user_id, state.allowed(caller), caller.session_id)


def open_authenticator(
    gym: GymClient, identity: IdentityClient, tokens: VerifiesTokens, freshness: Freshness, settings: ApiSettings
) -> Authenticator:
    """The authenticator of an application. Gym confirms devices, Identity confirms sessions."""
    devices = ConfirmedCache(lambda ids: gym(DeviceService.keys, ids), freshness=freshness)
    states = ConfirmedCache(lambda ids: identity(SessionService.states, ids), freshness=freshness)
    unknown_rate = RateLimit(settings.sign_ins_per_address_per_second)
    return Authenticator(devices, unknown_rate, tokens, Sessions(states, identity))


def require_right(principal: Principal, right: Right) -> None:
    """Check that a principal has a right.

    Raises:
        ApiProblem: `forbidden`.
    """
    allowed = right.device if isinstance(principal, DevicePrincipal) else right.role in principal.roles
    if not allowed and not right.public:
        needed = " or ".join(
            filter(None, ["a device" if right.device else "", right.role and f"the role {right.role}"])
        )
        raise ApiProblem("forbidden", f"This call requires {needed}.")


def can_see_retired(principal: Principal) -> bool:
    """Whether a principal sees retired gyms: staff do, and their devices, which still let people out."""
    return isinstance(principal, DevicePrincipal) or principal.is_staff


def require_own_gym(principal: Principal, gym_id: UUID) -> None:
    """Limit a device to its own gym.

    Raises:
        ApiProblem: `forbidden`.
    """
    if isinstance(principal, DevicePrincipal) and principal.gym_id != gym_id:
        raise ApiProblem("forbidden", "A device sees its own gym only.")
