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
from tests.unit.deployments.gateway.purchases import newcomer, sold_at_desk
from tests.unit.deployments.harness import Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD

pytestmark = pytest.mark.anyio


def keyed(headers: dict[str, str], key: str = "key-1") -> dict[str, str]:
    return headers | {"Idempotency-Key": key}


def gates_of(harness: Harness, gym: UUID) -> int:
    with harness.world.store.reading() as connection:
        query = select(func.count()).select_from(gates).where(gates.c.gym_id == gym)
        return connection.execute(query).scalar_one()


async def test_a_repeated_call_gets_the_first_answer_and_does_nothing_twice(harness: Harness) -> None:
    gym, admin = harness.world.gym(), harness.bearer(Role.ADMIN)
    path, wanted = f"/gyms/{gym}/gates", {"name": "Back door", "serves": "out"}
    first = await harness.client.post(path, json=wanted, headers=keyed(admin))
    again = await harness.client.post(path, json=wanted, headers=keyed(admin))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert gates_of(harness, gym) == 1


async def test_a_device_s_credential_is_returned_again_and_not_stored_in_clear(harness: Harness) -> None:
    at, admin = harness.gym_with_gate(), harness.bearer(Role.ADMIN)
    path = f"/gates/{at.gate}/devices"
    answers = [await harness.client.post(path, json={"name": "R"}, headers=keyed(admin)) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    with harness.world.store.reading() as connection:
        kept = connection.execute(select(idempotency_keys)).one()
    credential = answers[0].json()["credential"]
    for part in (credential, credential.partition(".")[2], "key-1"):
        assert part not in str(kept)


async def test_a_key_is_of_one_body_one_path_and_one_asker(harness: Harness) -> None:
    gym, other, admin = harness.world.gym(), harness.world.gym(), harness.bearer(Role.ADMIN)
    path = f"/gyms/{gym}/gates"
    assert (
        await harness.client.post(path, json={"name": "A", "serves": "in"}, headers=keyed(admin))
    ).status_code == 201
    answer = await harness.client.post(path, json={"name": "B", "serves": "in"}, headers=keyed(admin))
    assert_problem(answer, 422, "idempotency_key_reused")
    for elsewhere, asker in ((f"/gyms/{other}/gates", admin), (path, harness.bearer(Role.ADMIN))):
        answer = await harness.client.post(elsewhere, json={"name": "C", "serves": "in"}, headers=keyed(asker))
        assert answer.status_code == 201


async def test_of_many_at_once_one_does_it(harness: Harness) -> None:
    gym, admin = harness.world.gym(), harness.bearer(Role.ADMIN)
    path, wanted = f"/gyms/{gym}/gates", {"name": "A", "serves": "in"}
    assert (await harness.client.get("/me", headers=admin)).status_code == 200
    harness.gym.delay_s = 0.02
    answers = await asyncio.gather(*(harness.client.post(path, json=wanted, headers=keyed(admin)) for _ in range(8)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.text for answer in made}) == 1
    for answer in answers:
        if answer not in made:
            assert_problem(answer, 409, "idempotency_key_in_use")
            assert answer.headers["retry-after"] == "1"
    assert gates_of(harness, gym) == 1


async def test_what_failed_may_be_tried_again_with_the_same_key(harness: Harness) -> None:
    gym, admin = harness.world.gym(), harness.bearer(Role.ADMIN)
    path = f"/gyms/{gym}/gates"
    wrong = await harness.client.post(path, json={"name": "", "serves": "in"}, headers=keyed(admin))
    assert_problem(wrong, 422, "invalid_request")
    right = await harness.client.post(path, json={"name": "A", "serves": "in"}, headers=keyed(admin))
    assert right.status_code == 201


async def test_a_sign_up_that_is_repeated_sends_one_mail(harness: Harness) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD, "name": "Ana"}
    answers = [await harness.client.post("/sign-up", json=wanted, headers=keyed({})) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert len(harness.mailbox.mails) == 1


async def test_a_key_of_a_sign_up_that_somebody_guesses_neither_gives_nor_blocks_the_answer(harness: Harness) -> None:
    wanted = {"email": EMAIL, "password": PASSWORD, "name": "Ana"}
    elsewhere = httpx.AsyncClient(
        transport=httpx.ASGITransport(harness.public, root_path="/api", client=("198.51.100.7", 4711)),
        base_url=harness.client.base_url,
    )
    async with elsewhere:
        # First: what a stranger does beforehand blocks nobody.
        strangers = [
            await elsewhere.post("/sign-up", json=wanted | {"password": "a password of a stranger"}, headers=keyed({})),
            await harness.client.post("/sign-up", json=wanted | {"email": "eve@example.com"}, headers=keyed({})),
        ]
        mine = await harness.client.post("/sign-up", json=wanted, headers=keyed({}))
        # Then: the very same request from elsewhere is another one.
        strangers.append(await elsewhere.post("/sign-up", json=wanted | {"name": "Eve"}, headers=keyed({}, "key-2")))
        strangers.append(await elsewhere.post("/sign-up", json=wanted, headers=keyed({}, "key-3")))
    again = await harness.client.post("/sign-up", json=wanted, headers=keyed({}))
    assert [answer.status_code for answer in (*strangers, mine, again)] == [202] * 6
    assert again.json() == mine.json()
    ids = {answer.json()["sign_up_id"] for answer in (*strangers, mine)}
    assert len(ids) == 5
    with harness.world.store.reading() as connection:
        assert EMAIL not in str(connection.execute(select(idempotency_keys)).all())


async def test_a_key_of_a_claim_that_somebody_guesses_neither_gives_nor_blocks_the_answer(harness: Harness) -> None:
    gate, admin = harness.gym_with_gate().gate, harness.bearer(Role.ADMIN)
    pairing = await harness.client.post(f"/gates/{gate}/pairings", json={"name": "Reader"}, headers=admin)
    guessed = await harness.client.post("/pairings/claim", json={"code": "0" * 20}, headers=keyed({}))
    assert guessed.status_code != 201
    answers = [
        await harness.client.post("/pairings/claim", json={"code": pairing.json()["code"]}, headers=keyed({}))
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    stolen = await harness.client.post("/pairings/claim", json={"code": "0" * 20}, headers=keyed({}))
    assert_problem(stolen, 404, "unknown_pairing")


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a b"])
async def test_a_key_that_cannot_be_one_is_refused(harness: Harness, key: str) -> None:
    gym = harness.world.gym()
    bearer = harness.bearer(Role.ADMIN)["Authorization"].encode()
    headers = [(b"Authorization", bearer), (b"Idempotency-Key", key.encode("latin-1"))]
    answer = await harness.client.post(f"/gyms/{gym}/gates", json={"name": "A", "serves": "in"}, headers=headers)
    problem = assert_problem(answer, 422, "invalid_request")
    assert problem["fields"][0]["field"] == "Idempotency-Key"
    assert gates_of(harness, gym) == 0


async def test_a_sale_whose_answer_was_lost_is_made_once_and_answered_again(harness: Harness) -> None:
    member, _ = newcomer(harness)
    staff = keyed(harness.bearer(Role.STAFF))
    harness.payments.loses_answers = True
    assert_problem(await sold_at_desk(harness, staff, member), 503, "unavailable")
    harness.payments.loses_answers = False
    again = await sold_at_desk(harness, staff, member)
    assert again.status_code == 201
    with harness.world.store.reading() as connection:
        assert list(connection.execute(select(orders.c.id)).scalars()) == [UUID(again.json()["id"])]
