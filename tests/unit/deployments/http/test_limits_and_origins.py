"""Who may ask how often, from which pages, and what is answered while Identity is away."""

import pytest

from deployments.http.confirmed_cache import Freshness
from deployments.http.problems import retryable
from deployments.http.rate_limits import RateLimit
from domain.identity.model import Role
from integrations.settings import ApiSettings
from tests.unit.deployments.gateway.signed_in_members import new_member, try_to_sign_in
from tests.unit.deployments.harness import OTHER_ORIGIN, Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL, OTHER_PASSWORD, PASSWORD
from tests.world import World

pytestmark = pytest.mark.anyio


def limited(world: World, **limits: float) -> Harness:
    return Harness(world, api=ApiSettings(public_url="https://gym.test", **limits))


async def test_a_user_is_held_off_without_others_being_so(world: World) -> None:
    harness = limited(world, requests_per_user_per_second=3)
    one, another = harness.bearer(Role.USER), harness.bearer(Role.USER)
    answers = [await harness.client.get("/gyms", headers=one) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert_problem(answers[3], 429, "too_many_requests")
    assert answers[3].headers["retry-after"] == "1"
    assert (await harness.client.get("/gyms", headers=another)).status_code == 200


async def test_an_address_that_tries_without_a_token_is_held_off_whatever_it_says_of_itself(world: World) -> None:
    harness = limited(world, sign_ins_per_address_per_second=2)
    for number in range(3):
        sent = {"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.1"}  # the last one is what our own proxy has seen
        answer = await try_to_sign_in(harness, headers=sent)
    assert_problem(answer, 429, "too_many_requests")
    answer = await try_to_sign_in(harness, headers={"X-Forwarded-For": "192.0.2.2"})
    assert_problem(answer, 401, "wrong_credentials")
    assert (await harness.client.get("/health", headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 200


async def test_https_is_to_be_kept_to_where_the_public_comes_by_it(world: World, harness: Harness) -> None:
    by_https = limited(world)
    for answer in (
        await by_https.client.get("/health"),
        await by_https.client.post("/scans", json={}),
        await by_https.client.get("/nothing"),
    ):
        assert answer.headers["strict-transport-security"] == "max-age=63072000"
    assert "strict-transport-security" not in (await harness.client.get("/health")).headers
    assert "Secure" in (await by_https.client.get("/sessions/authorize")).headers["set-cookie"].split("; ")


async def test_pages_of_named_origins_may_call_and_no_others(harness: Harness) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    known = await harness.client.options("/scans", headers=asked | {"Origin": OTHER_ORIGIN})
    assert known.status_code == 200
    assert known.headers["access-control-allow-origin"] == OTHER_ORIGIN
    assert "Authorization" in known.headers["access-control-allow-headers"]
    foreign = await harness.client.options("/scans", headers=asked | {"Origin": "http://evil.test"})
    assert "access-control-allow-origin" not in foreign.headers
    for path, status in (("/gyms", 401), ("/health", 200), ("/nothing", 404)):
        answer = await harness.client.get(path, headers={"Origin": OTHER_ORIGIN})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == OTHER_ORIGIN, "a problem is for the page as well"
        assert "access-control-allow-credentials" not in answer.headers
    answer = await harness.client.get("/health", headers={"Origin": "http://evil.test"})
    assert "access-control-allow-origin" not in answer.headers


async def test_by_default_no_other_page_may_call(world: World) -> None:
    harness = limited(world)
    answer = await harness.client.get("/health", headers={"Origin": OTHER_ORIGIN})
    assert "access-control-allow-origin" not in answer.headers


async def test_while_identity_is_unavailable_signed_in_users_and_doors_go_on(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), await new_member(harness)
    assert (await harness.client.get("/gyms", headers=member.headers)).status_code == 200
    harness.identity.fails = retryable("unavailable", "Service unavailable: Identity.", seconds=2)
    assert (await harness.client.get("/gyms", headers=member.headers)).status_code == 200
    assert (await harness.client.get("/me/passes", headers=member.headers)).status_code == 200
    assert (await harness.scan(at, harness.world.member(), direction="enter")).json()["outcome"] == "entered"
    for answer in (
        await try_to_sign_in(harness),
        await harness.client.post("/sign-up", json={"email": EMAIL, "password": PASSWORD, "name": "A"}),
        await harness.client.post("/sessions/refresh", json={"refresh_token": "x"}),
        await harness.client.post("/password/forgot", json={"email": EMAIL}),
        await harness.client.post(
            "/password/change",
            json={"old_password": PASSWORD, "new_password": OTHER_PASSWORD},
            headers=member.headers,
        ),
        await harness.client.get("/sessions/authorize"),
        await harness.client.get("/me", headers=member.headers),
        await harness.client.get("/gyms", headers=harness.bearer(Role.USER)),  # a session that nobody has seen
    ):
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "2"


async def test_while_identity_is_unavailable_nobody_is_taken_for_signed_in_longer_than_is_believed(
    world: World,
) -> None:
    harness = Harness(world, freshness=Freshness(trust_for=0))
    member = await new_member(harness)
    harness.identity.fails = retryable("unavailable", "Service unavailable: Identity.", seconds=2)
    assert_problem(await harness.client.get("/me/passes", headers=member.headers), 503, "unavailable")


def test_a_limit_holds_for_whatever_names_an_asker() -> None:
    limit = RateLimit(1, clock=lambda: 0.0)
    assert [limit.take("192.0.2.1"), limit.take("192.0.2.2")] == [0.0, 0.0]
    assert limit.take("192.0.2.1") == 1.0
