"""The access rights of the existing web client's calls."""

from deployments.http.rights import ADMIN, PUBLIC, PUBLIC_TRY, USER, Right

STAGE_RIGHTS: dict[tuple[str, str], Right] = {
    ("GET", "/api/token/get"): PUBLIC_TRY,
    ("GET", "/GetAllUsers"): ADMIN,
    ("POST", "/AddUserToGroup"): ADMIN,
    ("GET", "/api/gyms"): USER,
    ("GET", "/api/gyms/occupancy"): USER,
    ("GET", "/api/gyms/machine/all"): USER,
    ("GET", "/api/gyms/machine"): ADMIN,
    ("GET", "/api/gyms/machine/user"): USER,
    ("POST", "/api/gyms/machine"): ADMIN,
    ("DELETE", "/api/gyms/machine"): ADMIN,
    ("GET", "/api/gyms/machine/image"): USER,
    ("POST", "/api/payments/create-checkout-session"): USER,
    ("GET", "/api/payments/user/subscriptiondate"): USER,
    ("POST", "/api/payments/webhooks"): PUBLIC,
    ("POST", "/api/qr/generate-machine"): USER,
    ("POST", "/api/qr/machine"): USER,
    ("POST", "/api/qr/generate"): USER,
    ("POST", "/api/qr/validate"): USER,
    ("POST", "/api/qr/gym_entrance"): ADMIN,
    ("GET", "/openapi.json"): PUBLIC,
}
