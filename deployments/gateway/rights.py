"""Who may call what: one table. A route that is not in it is served to nobody, and a test fails."""

from dataclasses import dataclass

from domain.identity.model import Role


@dataclass(frozen=True, slots=True)
class Right:
    """Who may call an endpoint.

    Args:
        public: anybody, without showing anything.
        device: the devices of gates; the endpoint itself holds them to their own gym.
        role: users of this role and of those that include it.
    """

    public: bool = False
    device: bool = False
    role: Role | None = None


PUBLIC = Right(public=True)
USER = Right(role=Role.USER)
STAFF = Right(role=Role.STAFF)
ADMIN = Right(role=Role.ADMIN)
USER_OR_DEVICE = Right(device=True, role=Role.USER)
STAFF_OR_DEVICE = Right(device=True, role=Role.STAFF)

RIGHTS: dict[tuple[str, str], Right] = {
    ("POST", "/scans"): STAFF_OR_DEVICE,
    ("GET", "/scans/{scan_id}"): STAFF_OR_DEVICE,
    ("POST", "/scans/{scan_id}/annul"): STAFF_OR_DEVICE,
    ("GET", "/me"): USER,
    ("GET", "/me/passes"): USER,
    ("GET", "/me/pass.png"): USER,
    ("GET", "/me/pass.svg"): USER,
    ("GET", "/me/visits"): USER,
    ("GET", "/gyms"): USER,
    ("GET", "/gyms/{gym_id}"): USER_OR_DEVICE,
    ("GET", "/gyms/{gym_id}/occupancy"): USER_OR_DEVICE,
    ("GET", "/gyms/{gym_id}/inside"): STAFF,
    ("GET", "/gyms/{gym_id}/scans"): STAFF,
    ("GET", "/gyms/{gym_id}/gates"): STAFF,
    ("POST", "/gyms/{gym_id}/gates"): ADMIN,
    ("GET", "/gates/{gate_id}/devices"): ADMIN,
    ("POST", "/gates/{gate_id}/devices"): ADMIN,
    ("DELETE", "/devices/{device_id}"): ADMIN,
    ("GET", "/health"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/version"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
}
