"""The table of rights of the live view."""

from deployments.http.rights import PUBLIC, USER_OR_DEVICE, Right

WATCHING = USER_OR_DEVICE

LIVE_RIGHTS: dict[tuple[str, str], Right] = {
    ("GET", "/gyms/{gym_id}"): WATCHING,
    ("GET", "/openapi.json"): PUBLIC,
}
