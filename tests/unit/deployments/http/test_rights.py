"""The table of rights, walked: every route of the OpenAPI document, by everybody."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from deployments.http.api_rights import RIGHTS
from deployments.http.rights import Right
from domain.identity.model import Role
from domain.identity.ports import Account
from domain.ids import new_id
from integrations.local_identity.tokens import mint_access_token
from tests.unit.deployments.harness import GymWithGate, Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD, light_settings
from tests.world import START

pytestmark = pytest.mark.anyio

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/scans"): {"code": "x", "direction": "auto", "scan_id": "s"},
    ("POST", "/scans/{scan_id}/annul"): {"reason": "tried"},
    ("POST", "/scans/offline"): {
        "scans": [
            {
                "code": "x",
                "gate_id": str(new_id()),
                "direction": "leave",
                "scan_id": "s",
                "scanned_at": "2026-03-02T12:00:00Z",
            }
        ]
    },
    ("POST", "/gyms/{gym_id}/head-counts"): {"counted": 1, "reason": "tried"},
    ("POST", "/conflicts/{conflict_id}/settle"): {"note": "tried"},
    ("POST", "/gyms"): {"name": "Riverside", "address": "Quay 7", "time_zone": "Europe/Berlin", "capacity": 9},
    ("PATCH", "/gyms/{gym_id}"): {"capacity": 9},
    ("PUT", "/gyms/{gym_id}/opening-hours"): {"hours": []},
    ("POST", "/gyms/{gym_id}/gates"): {"name": "Back door", "serves": "out"},
    ("PATCH", "/gates/{gate_id}"): {"serves": "both"},
    ("POST", "/gates/{gate_id}/pairings"): {"name": "Reader"},
    ("POST", "/pairings/claim"): {"code": "AAAA-BBBB-CCCC-DDDD"},
    ("POST", "/gates/{gate_id}/devices"): {"name": "Reader"},
    ("POST", "/sign-up"): {"email": EMAIL, "password": PASSWORD, "name": "Ana"},
    ("POST", "/sign-up/confirm"): {"email": EMAIL, "code": "000000"},
    ("POST", "/sign-up/resend"): {"email": EMAIL},
    ("POST", "/sessions"): {"email": EMAIL, "password": "wrong"},
    ("POST", "/sessions/refresh"): {"refresh_token": "spent"},
    ("POST", "/password/forgot"): {"email": EMAIL},
    ("POST", "/password/reset"): {"email": EMAIL, "code": "000000", "password": PASSWORD},
    ("POST", "/password/change"): {"old_password": "wrong", "new_password": PASSWORD},
    ("PATCH", "/me"): {"name": "Ana"},
    ("PATCH", "/machines/{machine_id}"): {"name": "Bench"},
    ("PUT", "/machines/{machine_id}/out-of-order"): {"reason": "squeaks"},
    ("POST", "/plans"): {"name": "30 days", "days": 30, "price": {"amount": 1000, "currency": "EUR"}},
    ("PATCH", "/plans/{plan_id}"): {"name": "A month"},
    ("PATCH", "/company"): {"name": "Gyms"},
    ("POST", "/checkouts"): {"plan_id": str(new_id())},
    ("POST", "/orders/{order_id}/refunds"): {"reason": "tried"},
    ("POST", "/orders/{order_id}/reverse"): {"reason": "tried"},
    ("POST", "/desk-payments"): {"member_id": str(new_id()), "plan_id": str(new_id()), "method": "cash"},
    ("PUT", "/me/reminders"): {"mails": True},
    ("POST", "/members/{member_id}/freezes"): {"days": 7},
    ("POST", "/members/{member_id}/adjustments"): {"membership_id": str(new_id()), "days": 1, "reason": "tried"},
    ("PUT", "/members/{member_id}/ban"): {"reason": "tried"},
}
OWN_IDS: dict[str, UUID] = {}  # of those whom a token names: what is a member's own is asked for by them
UNDOCUMENTED = {
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/identity/.well-known/jwks.json"),
    ("GET", "/identity/oauth2/authorize"),
    ("POST", "/identity/oauth2/authorize"),
    ("POST", "/identity/oauth2/token"),
    *((method, f"/identity/{page}") for method in ("GET", "POST") for page in ("login", "signup", "forgotPassword")),
    *(("POST", f"/identity/{form}") for form in ("confirm", "resend", "confirmForgotPassword")),
}


def routes(harness: Harness) -> Iterator[tuple[str, str]]:
    for path, operations in harness.document["paths"].items():
        for method in operations:
            yield method.upper(), path


async def call(harness: Harness, at: GymWithGate, route: tuple[str, str], headers: dict[str, str]) -> str:
    """The code of the problem that was answered; none where it was not one."""
    method, path = route
    url = path.format(
        gym_id=at.gym,
        gate_id=at.gate,
        device_id=new_id(),
        conflict_id=new_id(),
        pairing_id=new_id(),
        scan_id="s",
        user_id=new_id(),
        session_id=new_id(),
        machine_id=new_id(),
        plan_id=new_id(),
        order_id=new_id(),
        invoice_id=new_id(),
        member_id=OWN_IDS.get(headers.get("Authorization", ""), new_id()),
        sha256="0" * 64,
        role="Staff",
    )
    if path == "/checkouts/success":
        url = f"{url}?order={new_id()}&session_id=cs_1"
    if path == "/sessions/callback":
        url, headers = f"{url}?code=x&state=begun", headers | {"Cookie": "fm_authorize=begun.verifier"}
    body = BODIES.get(route)
    if body and path == "/scans":
        body = body | {"gate_id": str(at.gate), "scan_id": str(new_id())}
    answer = await harness.client.request(method, url, headers=headers, json=body)
    if answer.status_code < 400 or path == "/ready":
        return ""
    code: str = answer.json()["code"]
    if code == "unauthenticated":
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"]
    return code


def allowed(right: Right, role: Role | None) -> bool:
    order = [Role.USER, Role.STAFF, Role.ADMIN]
    if role is None:
        return right.device
    return right.role is not None and order.index(role) >= order.index(right.role)


async def test_every_route_has_a_right_and_every_right_a_route(harness: Harness) -> None:
    assert set(routes(harness)) == set(RIGHTS) - UNDOCUMENTED


def known_user(harness: Harness, *roles: Role) -> dict[str, str]:
    """A token of somebody whom the provider knows in these roles as well."""
    user_id = new_id()
    email, groups = f"{user_id}@example.org", tuple(roles)
    account = Account(user_id, email, "Mia", enabled=True, confirmed=True, created_at=START, groups=groups)
    harness.provider.add_accounts([account])
    headers = harness.bearer(*roles, user_id=user_id)
    OWN_IDS[headers["Authorization"]] = user_id
    return headers


def foreign_token(folder: Path) -> str:
    """What another installation would give an admin: right in everything but its key."""
    elsewhere = light_settings(folder)
    return mint_access_token(
        elsewhere, sub=new_id(), email="foreign@example.org", groups=[Role.ADMIN], lifetime=timedelta(hours=1)
    )


async def test_everybody_reaches_what_is_theirs_and_nothing_else(harness: Harness, tmp_path: Path) -> None:
    at = harness.gym_with_gate()
    revoked = harness.device(at.gate)
    harness.gym.services.devices.revoke(revoked)
    foreign = foreign_token(tmp_path / "elsewhere")
    for route in routes(harness):
        right = RIGHTS[route]
        for nobody in (
            {},
            {"Authorization": "Bearer forged"},
            {"Authorization": f"Bearer {foreign}"},
            {"Authorization": f"Device {revoked}.{'s' * 43}"},
            {"Authorization": f"Device {at.device}.{'t' * 43}"},
        ):
            code = await call(harness, at, route, nobody)
            assert (code != "unauthenticated") == right.public, (route, nobody, code)
        for role in (None, *Role):
            headers = at.headers if role is None else known_user(harness, role)
            code = await call(harness, at, route, headers)
            assert code not in {"unauthenticated", "method_not_allowed", "invalid_request", "internal_error"}, (
                *route,
                role,
                code,
            )
            assert (code != "forbidden") == (right.public or allowed(right, role)), (route, role, code)
        assert right.public or await call(harness, at, route, harness.bearer()) == "forbidden", (
            "a user without any role"
        )


async def test_a_route_without_a_right_is_nobodys(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RIGHTS, ("GET", "/gyms"))
    assert_problem(await harness.client.get("/gyms", headers=harness.bearer(Role.ADMIN)), 403, "forbidden")


async def test_a_right_is_checked_before_anything_is_read(harness: Harness) -> None:
    at = harness.gym_with_gate()
    for headers, status in (({}, 401), (harness.bearer(Role.STAFF), 403)):
        answer = await harness.client.post(
            f"/gyms/{at.gym}/gates", content=b"{", headers=headers | {"Content-Type": "application/json"}
        )
        assert answer.status_code == status


async def test_a_device_sees_its_own_gym_only(harness: Harness) -> None:
    at, elsewhere = harness.gym_with_gate(), harness.gym_with_gate()
    for path in ("/gyms/{}", "/gyms/{}/occupancy"):
        assert (await harness.client.get(path.format(at.gym), headers=at.headers)).status_code == 200
        assert_problem(await harness.client.get(path.format(elsewhere.gym), headers=at.headers), 403, "forbidden")


async def test_keys_that_cannot_be_had_are_not_the_callers_fault(harness: Harness) -> None:
    answer = await harness.client.get("/me", headers={"Authorization": "Bearer keys-away"})
    assert_problem(answer, 503, "unavailable")
