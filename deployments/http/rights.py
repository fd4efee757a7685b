"""Rights: who may call an endpoint. Each application has one table of them."""

from dataclasses import dataclass

from domain.identity.model import Role


@dataclass(frozen=True, slots=True)
class Right:
    """Who may call an endpoint.

    Args:
        public: everybody, without credentials.
        tries: an attempt without a token, rate limited by network address.
        device: gate devices; the endpoint restricts them to their own gym.
        role: users of this role and of those that include it.
    """

    public: bool = False
    tries: bool = False
    device: bool = False
    role: Role | None = None


PUBLIC = Right(public=True)
PUBLIC_TRY = Right(public=True, tries=True)
USER = Right(role=Role.USER)
STAFF = Right(role=Role.STAFF)
ADMIN = Right(role=Role.ADMIN)
USER_OR_DEVICE = Right(device=True, role=Role.USER)
STAFF_OR_DEVICE = Right(device=True, role=Role.STAFF)
