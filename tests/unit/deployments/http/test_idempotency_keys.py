"""Which calls take an `Idempotency-Key`, and that none of them is done twice when its answer was lost."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select

from domain.identity.model import Role
from domain.tables import metadata
from tests.unit.deployments.gateway.machines.test_pictures import PICTURE
from tests.unit.deployments.gateway.purchases import bought, newcomer, sold_at_desk
from tests.unit.deployments.harness import Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD

pytestmark = pytest.mark.anyio

WITHOUT_KEY = {
    "/scans": "by its scan_id",
    "/scans/offline": "by their scan_ids",
    "/scans/{scan_id}/annul": "by the scan: done again it changes nothing",
    "/conflicts/{conflict_id}/settle": "sets a note: done again it is the same",
    "/gyms/{gym_id}/retire": "done again it changes nothing",
    "/gyms/{gym_id}/reopen": "done again it changes nothing",
    "/machines/{machine_id}/retire": "done again it changes nothing",
    "/machines/{machine_id}/reopen": "done again it changes nothing",
    "/plans/{plan_id}/reopen": "done again it changes nothing",
    "/users/{user_id}/disable": "done again it changes nothing",
    "/users/{user_id}/enable": "done again it changes nothing",
    "/orders/{order_id}/check": "reads the provider: done again it changes nothing",
    "/payments/reconcile": "reads the provider: done again it changes nothing",
    "/payments/webhooks": "by the event's own id",
    "/sign-up/confirm": "a code is good once",
    "/sign-up/resend": "a mail, limited by tries",
    "/sessions": "a session, which expires",
    "/sessions/refresh": "a refresh token is good once",
    "/password/forgot": "a mail, limited by tries",
    "/password/reset": "a code is good once",
    "/password/change": "sets it",
}


class Call(NamedTuple):
    """One call that is ready to be made."""

    path: str
    headers: dict[str, str]
    request: dict[str, Any]


Prepare = Callable[[Harness], Awaitable[Call]]


async def _gym(harness: Harness) -> Call:
    wanted = {"name": "Riverside", "address": "Quay 7", "time_zone": "Europe/Berlin", "capacity": 120}
    return Call("/gyms", harness.bearer(Role.ADMIN), {"json": wanted})


async def _gate(harness: Harness) -> Call:
    return Call(
        f"/gyms/{harness.world.gym()}/gates",
        harness.bearer(Role.ADMIN),
        {"json": {"name": "Back door", "serves": "out"}},
    )


async def _device(harness: Harness) -> Call:
    return Call(
        f"/gates/{harness.gym_with_gate().gate}/devices", harness.bearer(Role.ADMIN), {"json": {"name": "Reader"}}
    )


async def _pairing(harness: Harness) -> Call:
    return Call(
        f"/gates/{harness.gym_with_gate().gate}/pairings", harness.bearer(Role.ADMIN), {"json": {"name": "Reader"}}
    )


async def _claim(harness: Harness) -> Call:
    call = await _pairing(harness)
    code = (await harness.client.post(call.path, headers=call.headers, **call.request)).json()["code"]
    return Call("/pairings/claim", {}, {"json": {"code": code}})


async def _machine(harness: Harness) -> Call:
    request = {"data": {"name": "Bench", "type": "bench"}, "files": {"image": ("x.jpg", PICTURE, "image/jpeg")}}
    return Call(f"/gyms/{harness.world.gym()}/machines", harness.bearer(Role.ADMIN), request)


async def _plan(harness: Harness) -> Call:
    wanted = {"name": "90 days", "days": 90, "price": {"amount": 2500, "currency": "EUR"}}
    return Call("/plans", harness.bearer(Role.ADMIN), {"json": wanted})


async def _checkout(harness: Harness) -> Call:
    return Call("/checkouts", newcomer(harness)[1], {"json": {"plan_id": str(harness.world.plan)}})


async def _desk_payment(harness: Harness) -> Call:
    wanted = {"member_id": str(newcomer(harness)[0]), "plan_id": str(harness.world.plan), "method": "cash"}
    return Call("/desk-payments", harness.bearer(Role.STAFF), {"json": wanted})


async def _refund(harness: Harness) -> Call:
    order = await bought(harness, newcomer(harness)[1])
    return Call(
        f"/orders/{order['id']}/refunds", harness.bearer(Role.ADMIN), {"json": {"amount": 400, "reason": "moved away"}}
    )


async def _reversal(harness: Harness) -> Call:
    order = (await sold_at_desk(harness, harness.bearer(Role.STAFF), newcomer(harness)[0])).json()
    return Call(f"/orders/{order['id']}/reverse", harness.bearer(Role.STAFF), {"json": {"reason": "a mistake"}})


async def _days(harness: Harness) -> Call:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    held = (await harness.client.get("/me/membership", headers=mia)).json()["memberships"][0]["id"]
    wanted = {"membership_id": held, "days": 5, "reason": "a gift"}
    return Call(f"/members/{member}/adjustments", harness.bearer(Role.ADMIN), {"json": wanted})


async def _freeze(harness: Harness) -> Call:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    return Call(f"/members/{member}/freezes", mia, {"json": {"days": 7}})


async def _sign_up(_rig: Harness) -> Call:
    return Call("/sign-up", {}, {"json": {"email": EMAIL, "password": PASSWORD, "name": "Ana"}})


async def _head_count(harness: Harness) -> Call:
    wanted = {"counted": 3, "reason": "closing"}
    return Call(f"/gyms/{harness.world.gym()}/head-counts", harness.bearer(Role.STAFF), {"json": wanted})


async def _use(harness: Harness) -> Call:
    made = await _machine(harness)
    machine = (await harness.client.post(made.path, headers=made.headers, **made.request)).json()["id"]
    return Call(f"/machines/{machine}/use", newcomer(harness)[1], {})


async def _release(harness: Harness) -> Call:
    use = await _use(harness)
    return use._replace(path=use.path.replace("/use", "/release"))


OF_A_DESK: dict[str, Prepare] = {
    "/gyms": _gym,
    "/gyms/{gym_id}/gates": _gate,
    "/gates/{gate_id}/devices": _device,
    "/gates/{gate_id}/pairings": _pairing,
    "/pairings/claim": _claim,
    "/gyms/{gym_id}/machines": _machine,
    "/plans": _plan,
    "/checkouts": _checkout,
    "/desk-payments": _desk_payment,
    "/orders/{order_id}/refunds": _refund,
    "/orders/{order_id}/reverse": _reversal,
    "/members/{member_id}/adjustments": _days,
    "/members/{member_id}/freezes": _freeze,
    "/sign-up": _sign_up,
}
OF_THE_DOOR: dict[str, Prepare] = {
    "/gyms/{gym_id}/head-counts": _head_count,
    "/machines/{machine_id}/use": _use,
    "/machines/{machine_id}/release": _release,
}


def kept(harness: Harness) -> dict[str, int]:
    """How many rows each table has."""
    with harness.world.store.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def lose_answers(harness: Harness, *, lost: bool) -> None:
    for desk in (harness.gym, harness.payments, harness.identity):
        desk.loses_answers = lost


async def make(harness: Harness, call: Call, key: str) -> Any:  # noqa: ANN401 - httpx's response
    return await harness.client.post(call.path, headers=call.headers | {"Idempotency-Key": key}, **call.request)


async def test_a_call_that_makes_something_or_moves_money_takes_a_key_or_is_named_here(harness: Harness) -> None:
    posts = {path: calls["post"] for path, calls in harness.document["paths"].items() if "post" in calls}
    keyed = {
        path
        for path, call in posts.items()
        if any(each["name"] == "Idempotency-Key" for each in call.get("parameters", ()))
    }
    assert keyed == {*OF_A_DESK, *OF_THE_DOOR}
    assert set(posts) - keyed == set(WITHOUT_KEY)


@pytest.mark.parametrize("path", OF_A_DESK)
async def test_a_call_whose_answer_was_lost_is_done_once_and_answered_when_it_is_repeated(
    harness: Harness, path: str
) -> None:
    call = await OF_A_DESK[path](harness)
    if call.headers:
        await harness.client.get("/me", headers=call.headers)  # who asks is known before answers are lost
    before = kept(harness)
    lose_answers(harness, lost=True)
    assert_problem(await make(harness, call, "once"), 503, "unavailable")
    lose_answers(harness, lost=False)
    after = kept(harness)
    assert after != before
    again = await make(harness, call, "once")
    assert again.is_success, again.text
    assert again.headers["idempotency-replayed"] == "true"
    assert kept(harness) == after
    same = await make(harness, call, "once")
    assert (same.status_code, same.content) == (again.status_code, again.content)


@pytest.mark.parametrize("path", OF_THE_DOOR)
async def test_a_command_to_the_door_has_the_id_of_its_key(harness: Harness, path: str) -> None:
    call = await OF_THE_DOOR[path](harness)
    first = await make(harness, call, "once")
    assert first.status_code == 200, first.text
    after = kept(harness)
    again, other = await make(harness, call, "once"), await make(harness, call, "another")
    assert (first.json()["replayed"], again.json()["replayed"], other.json()["replayed"]) == (False, True, False)
    assert {**again.json(), "replayed": False} == first.json()
    assert after != kept(harness), "another key is another command"


async def test_a_key_is_forgotten_after_a_day(harness: Harness) -> None:
    call = await _gate(harness)
    assert (await make(harness, call, "once")).status_code == 201
    harness.world.clock.now += timedelta(hours=24, seconds=1)
    assert_problem(await make(harness, call, "once"), 409, "gate_name_taken")
