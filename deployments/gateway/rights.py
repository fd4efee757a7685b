"""Who may call what: one table. A route that is not in it is served to nobody, and a test fails."""

from dataclasses import dataclass

from domain.identity.model import Role


@dataclass(frozen=True, slots=True)
class Right:
    """Who may call an endpoint.

    Args:
        public: anybody, without showing anything.
        tries: something is tried without a token; how often is limited by network address.
        device: the devices of gates; the endpoint itself holds them to their own gym.
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

RIGHTS: dict[tuple[str, str], Right] = {
    ("POST", "/scans"): STAFF_OR_DEVICE,
    ("GET", "/scans/{scan_id}"): STAFF_OR_DEVICE,
    ("POST", "/scans/{scan_id}/annul"): STAFF_OR_DEVICE,
    ("POST", "/scans/offline"): STAFF_OR_DEVICE,
    ("GET", "/pass-keys"): STAFF_OR_DEVICE,
    ("POST", "/sign-up"): PUBLIC_TRY,
    ("POST", "/sign-up/confirm"): PUBLIC_TRY,
    ("POST", "/sign-up/resend"): PUBLIC_TRY,
    ("POST", "/sessions"): PUBLIC_TRY,
    ("POST", "/sessions/refresh"): PUBLIC_TRY,
    ("GET", "/sessions/authorize"): PUBLIC,
    ("GET", "/sessions/callback"): PUBLIC_TRY,
    ("DELETE", "/sessions/current"): USER,
    ("POST", "/password/forgot"): PUBLIC_TRY,
    ("POST", "/password/reset"): PUBLIC_TRY,
    ("POST", "/password/change"): USER,
    ("GET", "/me"): USER,
    ("PATCH", "/me"): USER,
    ("DELETE", "/me"): USER,
    ("PUT", "/me/picture"): USER,
    ("DELETE", "/me/picture"): USER,
    ("GET", "/me/export"): USER,
    ("GET", "/me/sessions"): USER,
    ("DELETE", "/me/sessions"): USER,
    ("DELETE", "/me/sessions/{session_id}"): USER,
    ("GET", "/me/passes"): USER,
    ("GET", "/me/pass.png"): USER,
    ("GET", "/me/pass.svg"): USER,
    ("GET", "/me/visits"): USER,
    ("GET", "/users"): STAFF,
    ("GET", "/users/{user_id}"): STAFF,
    ("GET", "/users/{user_id}/visits"): STAFF,
    ("DELETE", "/users/{user_id}"): ADMIN,
    ("GET", "/users/{user_id}/history"): ADMIN,
    ("PUT", "/users/{user_id}/roles/{role}"): ADMIN,
    ("DELETE", "/users/{user_id}/roles/{role}"): ADMIN,
    ("POST", "/users/{user_id}/disable"): ADMIN,
    ("POST", "/users/{user_id}/enable"): ADMIN,
    ("GET", "/gyms"): USER,
    ("POST", "/gyms"): ADMIN,
    ("GET", "/gyms/{gym_id}"): USER_OR_DEVICE,
    ("PATCH", "/gyms/{gym_id}"): ADMIN,
    ("DELETE", "/gyms/{gym_id}"): ADMIN,
    ("POST", "/gyms/{gym_id}/retire"): ADMIN,
    ("POST", "/gyms/{gym_id}/reopen"): ADMIN,
    ("GET", "/gyms/{gym_id}/opening-hours"): USER_OR_DEVICE,
    ("PUT", "/gyms/{gym_id}/opening-hours"): ADMIN,
    ("GET", "/gyms/{gym_id}/occupancy"): USER_OR_DEVICE,
    ("GET", "/gyms/{gym_id}/inside"): STAFF,
    ("GET", "/gyms/{gym_id}/inside.html"): STAFF,
    ("GET", "/gyms/{gym_id}/inside.csv"): STAFF,
    ("GET", "/gyms/{gym_id}/inside.pdf"): STAFF,
    ("GET", "/gyms/{gym_id}/scans"): STAFF,
    ("GET", "/gyms/{gym_id}/visits"): STAFF,
    ("GET", "/gyms/{gym_id}/head-counts"): STAFF,
    ("POST", "/gyms/{gym_id}/head-counts"): STAFF,
    ("GET", "/gyms/{gym_id}/conflicts"): STAFF,
    ("POST", "/conflicts/{conflict_id}/settle"): STAFF,
    ("POST", "/machines/{machine_id}/use"): USER,
    ("POST", "/machines/{machine_id}/release"): USER,
    ("GET", "/gyms/{gym_id}/service-level"): STAFF,
    ("GET", "/gyms/{gym_id}/gates"): STAFF,
    ("POST", "/gyms/{gym_id}/gates"): ADMIN,
    ("GET", "/gyms/{gym_id}/devices"): STAFF,
    ("GET", "/gates/{gate_id}"): STAFF,
    ("PATCH", "/gates/{gate_id}"): ADMIN,
    ("DELETE", "/gates/{gate_id}"): ADMIN,
    ("GET", "/gates/{gate_id}/devices"): ADMIN,
    ("POST", "/gates/{gate_id}/devices"): ADMIN,
    ("DELETE", "/devices/{device_id}"): ADMIN,
    ("GET", "/gates/{gate_id}/pairings"): ADMIN,
    ("POST", "/gates/{gate_id}/pairings"): ADMIN,
    ("POST", "/pairings/claim"): PUBLIC_TRY,
    ("DELETE", "/pairings/{pairing_id}"): ADMIN,
    ("GET", "/gyms/{gym_id}/machines"): USER,
    ("POST", "/gyms/{gym_id}/machines"): ADMIN,
    ("GET", "/gyms/{gym_id}/machine-labels.pdf"): STAFF,
    ("GET", "/machines/{machine_id}"): USER,
    ("PATCH", "/machines/{machine_id}"): ADMIN,
    ("DELETE", "/machines/{machine_id}"): ADMIN,
    ("POST", "/machines/{machine_id}/retire"): ADMIN,
    ("POST", "/machines/{machine_id}/reopen"): ADMIN,
    ("PUT", "/machines/{machine_id}/out-of-order"): STAFF,
    ("DELETE", "/machines/{machine_id}/out-of-order"): STAFF,
    ("GET", "/machines/{machine_id}/image"): USER,
    ("PUT", "/machines/{machine_id}/image"): ADMIN,
    ("GET", "/machines/{machine_id}/qr.png"): STAFF,
    ("GET", "/images/{sha256}"): USER,
    ("GET", "/pictures/{sha256}"): USER_OR_DEVICE,
    ("GET", "/plans"): PUBLIC,
    ("POST", "/plans"): ADMIN,
    ("GET", "/plans/{plan_id}"): PUBLIC,
    ("PATCH", "/plans/{plan_id}"): ADMIN,
    ("DELETE", "/plans/{plan_id}"): ADMIN,
    ("POST", "/plans/{plan_id}/reopen"): ADMIN,
    ("GET", "/company"): STAFF,
    ("PATCH", "/company"): ADMIN,
    ("POST", "/checkouts"): USER,
    ("GET", "/checkouts/success"): PUBLIC_TRY,
    ("GET", "/checkouts/cancelled"): PUBLIC,
    ("GET", "/orders/{order_id}"): USER,
    ("POST", "/orders/{order_id}/check"): USER,
    ("POST", "/orders/{order_id}/refunds"): ADMIN,
    ("POST", "/orders/{order_id}/reverse"): STAFF,
    ("GET", "/me/orders"): USER,
    ("GET", "/me/membership"): USER,
    ("PUT", "/me/reminders"): USER,
    ("GET", "/me/invoices"): USER,
    ("GET", "/members/{member_id}/orders"): STAFF,
    ("GET", "/members/{member_id}/membership"): USER,
    ("GET", "/members/{member_id}/ledger"): USER,
    ("GET", "/members/{member_id}/invoices"): STAFF,
    ("POST", "/members/{member_id}/freezes"): USER,
    ("DELETE", "/members/{member_id}/freezes/current"): USER,
    ("POST", "/members/{member_id}/adjustments"): ADMIN,
    ("PUT", "/members/{member_id}/ban"): STAFF,
    ("DELETE", "/members/{member_id}/ban"): STAFF,
    ("POST", "/desk-payments"): STAFF,
    ("GET", "/desk-payments/report"): STAFF,
    ("GET", "/invoices/{invoice_id}"): USER,
    ("GET", "/invoices/{invoice_id}.pdf"): USER,
    ("GET", "/invoices/{invoice_id}.html"): USER,
    ("POST", "/payments/webhooks"): PUBLIC,
    ("POST", "/payments/reconcile"): ADMIN,
    ("GET", "/health"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/version"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/identity/.well-known/jwks.json"): PUBLIC,
    ("GET", "/identity/oauth2/authorize"): PUBLIC,
    ("POST", "/identity/oauth2/authorize"): PUBLIC_TRY,
    ("POST", "/identity/oauth2/token"): PUBLIC_TRY,
}
