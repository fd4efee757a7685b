"""What people type lands in no log. What the logs say is read once the shared stack has ended."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.api import Api
from tests.e2e.log_files import NEVER_KEPT, WRITTEN_NAME

_EMAIL = f"mia@{NEVER_KEPT}"


@pytest.fixture
def http(stack: Api) -> Iterator[httpx.Client]:
    """A client that may ask for what the interface does not take."""
    with httpx.Client(base_url=f"{stack.url}/api", timeout=10) as client:
        yield client


@pytest.mark.parametrize("typed", [_EMAIL, WRITTEN_NAME, f"mi\u200ba@{NEVER_KEPT}", "\u0130" * 40 + f"@{NEVER_KEPT}"])
def test_a_person_is_typed_wherever_something_can_be_typed(
    http: httpx.Client, admin: dict[str, str], typed: str
) -> None:
    in_a_path = quote(typed)
    for path in (f"/users/{in_a_path}", f"/users/{in_a_path}/history", f"/{in_a_path}", f"/gyms/{in_a_path}/inside"):
        assert http.get(path, headers=admin).status_code in {404, 422}
    assert http.get("/users", params={"search": typed}, headers=admin).status_code in {200, 422}
    assert http.get("/users", params={"role": typed, typed: "x"}, headers=admin).status_code == 422
    body = {"email": typed, "password": "tall ships in may", "name": typed, "code": typed[:64], typed: typed}
    for path in ("/sign-up", "/sign-up/confirm", "/sign-up/resend", "/sessions", "/password/forgot", "/password/reset"):
        for wrong in (body, body | {"email": f"eve@{NEVER_KEPT}"}, body | {"email": [typed]}, [typed]):
            assert http.post(path, json=wrong).status_code in {202, 401, 403, 422, 429}
    assert http.post("/sessions", content=f'{{"email": "{typed}', headers={"Content-Type": "application/json"}).is_error
    headers = {"Authorization": f"Bearer {in_a_path}", "User-Agent": in_a_path, "X-Request-Id": in_a_path}
    assert http.get("/me", headers=headers).status_code == 401
    root = str(http.base_url).rstrip("/").removesuffix("/api")
    for path in (f"/{in_a_path}", f"/default/{in_a_path}", f"/api/live/{in_a_path}", f"/-/{in_a_path}"):
        assert http.get(f"{root}{path}?email={in_a_path}").is_error
