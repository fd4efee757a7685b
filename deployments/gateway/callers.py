"""Who is asking: the device of a gate, or a user."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from deployments.gateway.confirmed_cache import ConfirmedCache
from deployments.gateway.ports import AskGym, Tokens
from deployments.gateway.problems import ApiProblem, later, unauthenticated
from deployments.gateway.rights import Right
from deployments.gym.desk import GymDesk
from domain.gyms.model import DeviceKey
from domain.gyms.rules import read_credential, secret_matches
from domain.identity.model import Role
from domain.identity.service import UserRefusal
from integrations.access_tokens import TokenRefusal, TokenRefusedError

_KNOWN_USERS = 10_000
_SHOWN = 10_000
_LONGEST_SHOWN = 128  # a device's header has 87 characters; who pads it is asked again each time
_SCHEME = re.compile(r"(\S+) +(\S+)")


@dataclass(frozen=True, slots=True)
class DeviceAsker:
    """A scanner at a gate."""

    id: UUID
    gate_id: UUID
    gym_id: UUID


@dataclass(frozen=True, slots=True)
class UserAsker:
    """Somebody who signed in. `roles` has everything that they include."""

    id: UUID
    roles: Collection[Role]

    @property
    def is_staff(self) -> bool:
        """Whether they work here."""
        return Role.STAFF in self.roles


Asker = DeviceAsker | UserAsker


class Callers:
    """Recognises devices and users by what they show.

    Args:
        devices: the keys of devices.
        tokens: verifies access tokens.
        gym: where a user's row is made at the first valid token.
    """

    def __init__(self, devices: ConfirmedCache[DeviceKey], tokens: Tokens, gym: AskGym) -> None:
        self._devices = devices
        self._tokens = tokens
        self._gym = gym
        self._known: dict[UUID, None] = {}
        self._shown: dict[str, tuple[DeviceKey, DeviceAsker]] = {}

    def recognised(self, authorization: str | None) -> DeviceAsker | None:
        """The device that showed this very header before, without hashing its secret again and without waiting.

        Only while its key is still believed and still the one that the secret was held against: a device that was
        revoked is refused as soon as `ConfirmedCache` knows. None: ask `identify`.
        """
        shown = self._shown.get(authorization or "")
        if shown is None:
            return None
        key, asker = shown
        return asker if self._devices.remembered(asker.id) == key else None

    async def identify(self, authorization: str | None) -> Asker:
        """Whoever an Authorization header names.

        Raises:
            ApiProblem: `unauthenticated` when that is nobody, `unavailable` when it cannot be found out.
        """
        if not authorization:
            raise unauthenticated("Show an access token (Bearer) or the credential of a device (Device).")
        match = _SCHEME.fullmatch(authorization)
        scheme, shown = match.groups() if match else ("", "")
        if scheme.lower() == "device":
            return await self._device(authorization, shown)
        if scheme.lower() == "bearer":
            return await self._user(shown)
        raise unauthenticated("The Authorization header is neither `Bearer <token>` nor `Device <id>.<secret>`.")

    async def _device(self, authorization: str, credential: str) -> DeviceAsker:
        read = read_credential(credential)
        if read is None:
            raise unauthenticated("The device's credential is not of the form <id>.<secret>.")
        device_id, secret = read
        key = self._devices.remembered(device_id) or await self._devices.get(device_id)
        if key is None or not secret_matches(secret, key.secret_hash):
            raise unauthenticated("The device is not known, or its credential was revoked.")
        asker = DeviceAsker(key.id, key.gate_id, key.gym_id)
        if len(self._shown) >= _SHOWN:
            self._shown.clear()
        if len(authorization) <= _LONGEST_SHOWN:
            self._shown[authorization] = key, asker
        return asker

    async def _user(self, token: str) -> UserAsker:
        try:
            caller = await self._tokens.verify(token)
        except TokenRefusedError as refused:
            if refused.reason is TokenRefusal.KEYS_AWAY:
                raise later("unavailable", "The identity provider's keys cannot be had.", seconds=5) from refused
            raise unauthenticated("The access token is not valid, or no longer.", error=True) from refused
        if caller.user_id not in self._known:
            email = caller.email or caller.username or str(caller.user_id)
            known = await self._gym(GymDesk.know_user, caller.user_id, email, caller.roles)
            if isinstance(known, UserRefusal):
                raise ApiProblem(known.problem.value, known.detail)
            if len(self._known) >= _KNOWN_USERS:
                self._known.clear()
            self._known[caller.user_id] = None
        return UserAsker(caller.user_id, caller.roles)


def permit(asker: Asker, right: Right) -> None:
    """Let through whoever has a right.

    Raises:
        ApiProblem: `forbidden` for everybody else.
    """
    allowed = right.device if isinstance(asker, DeviceAsker) else right.role in asker.roles
    if not allowed and not right.public:
        needed = " or ".join(
            filter(None, ["a device" if right.device else "", right.role and f"the role {right.role}"])
        )
        raise ApiProblem("forbidden", f"This takes {needed}.")


def within_reach(asker: Asker, gym_id: UUID) -> None:
    """Hold a device to its own gym.

    Raises:
        ApiProblem: `forbidden` when it asks about another one.
    """
    if isinstance(asker, DeviceAsker) and asker.gym_id != gym_id:
        raise ApiProblem("forbidden", "A device sees its own gym only.")
