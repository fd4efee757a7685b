"""Calls that a client may repeat, by `Idempotency-Key`."""

import asyncio
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from domain.gyms.tables import gates
from domain.idempotency import idempotency_keys
from domain.identity.model import Role
from domain.payments.tables import orders
from tests.unit.gateway.rig import Rig, assert_problem
from tests.unit.gateway.shop import newcomer, sold_at_desk
from tests.unit.identity.local_rig import EMAIL, PASSWORD

pytestmark = pytest.mark.anyio


def keyed(headers: dict[str, str], key: str = "key-1") -> dict[str, str]:
    return headers | {"Idempotency-Key": key}


def gates_of(rig: Rig, gym: UUID) -> int:
    with rig.world.store.reading() as connection:
        query = select(func.count()).select_from(gates).where(gates.c.gym_id == gym)
        return connection.execute(query).scalar_one()


async def test_a_repeated_call_gets_the_first_answer_and_does_nothing_twice(rig: Rig) -> None:
    gym, admin = rig.world.gym(), rig.bearer(Role.ADMIN)
    path, wanted = f"/gyms/{gym}/gates", {"name": "Back door", "serves": "out"}
    first = await rig.client.post(path, json=wanted, headers=keyed(admin))
    again = await rig.client.post(path, json=wanted, headers=keyed(admin))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert gates_of(rig, gym) == 1


async def test_a_device_s_credential_is_told_again_and_not_kept_in_clear(rig: Rig) -> None:
    at, admin = rig.gym_with_gate(), rig.bearer(Role.ADMIN)
    path = f"/gates/{at.gate}/devices"
    answers = [await rig.client.post(path, json={"name": "R"}, headers=keyed(admin)) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    with rig.world.store.reading() as connection:
        kept = connection.execute(select(idempotency_keys)).one()
    credential = answers[0].json()["credential"]
    for part in (credential, credential.partition(".")[2], "key-1"):
        assert part not in str(kept)


async def test_a_key_is_of_one_body_one_path_and_one_asker(rig: Rig) -> None:
    gym, other, admin = rig.world.gym(), rig.world.gym(), rig.bearer(Role.ADMIN)
    path = f"/gyms/{gym}/gates"
    assert (await rig.client.post(path, json={"name": "A", "serves": "in"}, headers=keyed(admin))).status_code == 201
    answer = await rig.client.post(path, json={"name": "B", "serves": "in"}, headers=keyed(admin))
    assert_problem(answer, 422, "idempotency_key_reused")
    for elsewhere, asker in ((f"/gyms/{other}/gates", admin), (path, rig.bearer(Role.ADMIN))):
        answer = await rig.client.post(elsewhere, json={"name": "C", "serves": "in"}, headers=keyed(asker))
        assert answer.status_code == 201


async def test_of_many_at_once_one_does_it(rig: Rig) -> None:
    gym, admin = rig.world.gym(), rig.bearer(Role.ADMIN)
    path, wanted = f"/gyms/{gym}/gates", {"name": "A", "serves": "in"}
    assert (await rig.client.get("/me", headers=admin)).status_code == 200
    rig.gym.delay_s = 0.02
    answers = await asyncio.gather(*(rig.client.post(path, json=wanted, headers=keyed(admin)) for _ in range(8)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.text for answer in made}) == 1
    for answer in answers:
        if answer not in made:
            assert_problem(answer, 409, "idempotency_key_in_use")
            assert answer.headers["retry-after"] == "1"
    assert gates_of(rig, gym) == 1


async def test_what_failed_may_be_tried_again_with_the_same_key(rig: Rig) -> None:
    gym, admin = rig.world.gym(), rig.bearer(Role.ADMIN)
    path = f"/gyms/{gym}/gates"
    wrong = await rig.client.post(path, json={"name": "", "serves": "in"}, headers=keyed(admin))
    assert_problem(wrong, 422, "invalid_request")
    right = await rig.client.post(path, json={"name": "A", "serves": "in"}, headers=keyed(admin))
    assert right.status_code == 201


async def test_a_sign_up_that_is_repeated_sends_one_mail(rig: Rig) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD, "name": "Ana"}
    answers = [await rig.client.post("/sign-up", json=wanted, headers=keyed({})) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert len(rig.mailbox.mails) == 1


async def test_a_key_of_a_sign_up_that_somebody_guesses_neither_gives_nor_blocks_the_answer(rig: Rig) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD, "name": "Ana"}
    elsewhere = httpx.AsyncClient(
        transport=httpx.ASGITransport(rig.public, root_path="/api", client=("198.51.100.7", 4711)),
        base_url=rig.client.base_url,
    )
    async with elsewhere:
        # First: what a stranger does beforehand blocks nobody.
        strangers = [
            await elsewhere.post("/sign-up", json=wanted | {"password": "a password of a stranger"}, headers=keyed({})),
            await rig.client.post("/sign-up", json=wanted | {"email": "eve@example.com"}, headers=keyed({})),
        ]
        mine = await rig.client.post("/sign-up", json=wanted, headers=keyed({}))
        # Then: the very same request from elsewhere is another one.
        strangers.append(await elsewhere.post("/sign-up", json=wanted | {"name": "Eve"}, headers=keyed({}, "key-2")))
        strangers.append(await elsewhere.post("/sign-up", json=wanted, headers=keyed({}, "key-3")))
    again = await rig.client.post("/sign-up", json=wanted, headers=keyed({}))
    assert [answer.status_code for answer in (*strangers, mine, again)] == [202] * 6
    assert again.json() == mine.json()
    ids = {answer.json()["sign_up_id"] for answer in (*strangers, mine)}
    assert len(ids) == 5
    with rig.world.store.reading() as connection:
        assert EMAIL not in str(connection.execute(select(idempotency_keys)).all())


async def test_a_key_of_a_claim_that_somebody_guesses_neither_gives_nor_blocks_the_answer(rig: Rig) -> None:
    gate, admin = rig.gym_with_gate().gate, rig.bearer(Role.ADMIN)
    pairing = await rig.client.post(f"/gates/{gate}/pairings", json={"name": "Reader"}, headers=admin)
    guessed = await rig.client.post("/pairings/claim", json={"code": "0" * 20}, headers=keyed({}))
    assert guessed.status_code != 201
    answers = [
        await rig.client.post("/pairings/claim", json={"code": pairing.json()["code"]}, headers=keyed({}))
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    stolen = await rig.client.post("/pairings/claim", json={"code": "0" * 20}, headers=keyed({}))
    assert_problem(stolen, 404, "unknown_pairing")


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a b"])
async def test_a_key_that_cannot_be_one_is_refused(rig: Rig, key: str) -> None:
    gym = rig.world.gym()
    bearer = rig.bearer(Role.ADMIN)["Authorization"].encode()
    headers = [(b"Authorization", bearer), (b"Idempotency-Key", key.encode("latin-1"))]
    answer = await rig.client.post(f"/gyms/{gym}/gates", json={"name": "A", "serves": "in"}, headers=headers)
    problem = assert_problem(answer, 422, "invalid_request")
    assert problem["fields"][0]["field"] == "Idempotency-Key"
    assert gates_of(rig, gym) == 0


async def test_a_sale_whose_answer_was_lost_is_made_once_and_answered_again(rig: Rig) -> None:
    member, _ = newcomer(rig)
    staff = keyed(rig.bearer(Role.STAFF))
    rig.payments.loses_answers = True
    assert_problem(await sold_at_desk(rig, staff, member), 503, "unavailable")
    rig.payments.loses_answers = False
    again = await sold_at_desk(rig, staff, member)
    assert again.status_code == 201
    with rig.world.store.reading() as connection:
        assert list(connection.execute(select(orders.c.id)).scalars()) == [UUID(again.json()["id"])]
