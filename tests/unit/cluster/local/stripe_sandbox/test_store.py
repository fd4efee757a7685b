"""What is remembered: over a restart, by its owner alone, in pages, and by keys."""

import hmac
import stat
from pathlib import Path

import pytest

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import Form, decode
from cluster.local.stripe_sandbox.guard import UnsafeStartError
from cluster.local.stripe_sandbox.idempotency import Answer, Keys
from cluster.local.stripe_sandbox.listing import list_objects
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.sessions import Buyer
from cluster.local.stripe_sandbox.store import Body, Store
from cluster.local.stripe_sandbox.webhooks import sign
from cluster.local.stripe_sandbox.world import World
from tests.unit.cluster.local.stripe_sandbox.conftest import SECRETS, Clock, sell

SESSIONS = "/v1/checkout/sessions"


def page(world: World, query: str = "") -> Body:
    filters = ("payment_intent", "status")
    return list_objects(world.store, "checkout.session", SESSIONS, Parameters(decode(query)), filters)


def ids(listed: Body) -> list[str]:
    return [one["id"] for one in listed["data"]]


def test_nobody_else_reads_what_is_remembered(world: World, tmp_path: Path) -> None:
    sell(world)
    files = list((tmp_path / "sandbox").iterdir())
    assert len(files) >= 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "sandbox").stat().st_mode) == 0o700


def test_one_sandbox_holds_a_folder(world: World, tmp_path: Path) -> None:
    assert world.store.now()
    with pytest.raises(UnsafeStartError, match="another sandbox"):
        Store(tmp_path / "sandbox")


def test_a_restart_forgets_nothing(tmp_path: Path, clock: Clock) -> None:
    world = World.open(tmp_path, SECRETS, "http://127.0.0.1:1", clock)
    session = sell(world)
    world.panel.turn({"drop": 3, "delay_s": 2})
    world.panel.break_calls({"status": 500, "next": 2})
    world.store.close()
    world = World.open(tmp_path, SECRETS, "http://127.0.0.1:1", clock)
    assert world.sessions.find(session["id"]).body == session
    assert (world.panel.switches.drop, world.panel.switches.delay_s) == (3, 2)
    assert world.panel.faults.next == 2
    world.store.close()


def test_what_failed_half_way_has_not_happened(world: World) -> None:
    session = sell(world)

    def pay_and_break() -> None:
        with world.store.transaction():
            world.sessions.pay(session["id"], Buyer())
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the one that was raised above
        pay_and_break()
    assert world.sessions.find(session["id"]).body["status"] == "open"
    assert world.store.run("SELECT COUNT(*) FROM objects WHERE object = 'event'") == [(0,)]


def test_pages_are_turned_forth_and_back(world: World, clock: Clock) -> None:
    made = []
    for number in range(7):
        clock.now += number % 2  # some in the same second
        made.append(sell(world)["id"])
    made.reverse()
    first = page(world, "limit=3")
    assert (ids(first), first["has_more"], first["url"]) == (made[:3], True, SESSIONS)
    second = page(world, f"limit=3&starting_after={made[2]}")
    assert (ids(second), second["has_more"]) == (made[3:6], True)
    assert (ids(page(world, f"limit=3&starting_after={made[5]}")), page(world)["has_more"]) == (made[6:], False)
    back = page(world, f"limit=3&ending_before={made[5]}")
    assert (ids(back), back["has_more"]) == (made[2:5], True)


def test_lists_are_filtered(world: World, clock: Clock) -> None:
    old = sell(world)
    clock.now += 10
    new = world.sessions.pay(sell(world)["id"], Buyer())
    at = int(clock.now)
    assert ids(page(world, f"created[gte]={at}")) == ids(page(world, f"created[gt]={at - 1}")) == [new["id"]]
    assert ids(page(world, f"created[lt]={at}")) == ids(page(world, f"created[lte]={at - 1}")) == [old["id"]]
    assert ids(page(world, f"created={at}")) == [new["id"]]
    assert ids(page(world, "status=open")) == [old["id"]]
    assert ids(page(world, f"payment_intent={new['payment_intent']}")) == [new["id"]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "colour=red",
        "created[x]=1",
        "status=paid",
        "starting_after=cs_no",
        "starting_after=a&ending_before=b",
        "payment_intent=pi_no",
    ],
)
def test_a_list_that_cannot_be_made_is_refused(world: World, query: str) -> None:
    with pytest.raises(SandboxError):
        page(world, query)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("type=charge.succeeded", 1),
        ("type=charge.*", 1),
        ("types[]=charge.succeeded&types[]=checkout.session.completed", 2),
        ("", 3),
        ("type=refund.created", 0),
    ],
)
def test_events_are_listed_by_type(world: World, query: str, count: int) -> None:
    world.sessions.pay(sell(world)["id"], Buyer())
    listed = list_objects(world.store, "event", "/v1/events", Parameters(decode(query)), ("types",))
    assert len(listed["data"]) == count


def test_a_key_is_answered_again_for_a_day(world: World, clock: Clock) -> None:
    keys, form, answer = Keys(world.store), decode("a=1&b[c]=2"), Answer(200, "{}", "req_1")
    assert keys.begin("k", "/v1/refunds", form) is None
    keys.keep("k", "/v1/refunds", form, answer)
    keys.end("k")
    assert keys.begin("k", "/v1/refunds", decode("b[c]=2&a=1")) == answer
    clock.now += 24 * 3600 + 1
    keys.forget_old()
    assert keys.begin("k", "/v1/refunds", form) is None


@pytest.mark.parametrize(("path", "form"), [("/v1/refunds", {"a": "2"}), ("/v1/other", {"a": "1"})])
def test_a_key_is_for_one_call(world: World, path: str, form: Form) -> None:
    keys = Keys(world.store)
    keys.keep("k", "/v1/refunds", {"a": "1"}, Answer(200, "{}", "req_1"))
    with pytest.raises(SandboxError) as error:
        keys.begin("k", path, form)
    assert (error.value.status, error.value.kind) == (400, "idempotency_error")


def test_a_key_in_use_is_refused_until_it_is_given_back(world: World) -> None:
    keys = Keys(world.store)
    assert keys.begin("k", "/v1/refunds", {}) is None
    with pytest.raises(SandboxError) as error:
        keys.begin("k", "/v1/refunds", {})
    assert (error.value.status, error.value.code) == (409, "idempotency_key_in_use")
    keys.end("k")
    assert keys.begin("k", "/v1/refunds", {}) is None


def test_a_signature_is_what_stripe_describes() -> None:
    expected = "t=5,v1=" + hmac.new(b"whsec_1", b"5.{}", "sha256").hexdigest()
    assert sign(b"{}", "whsec_1", 5) == expected


@pytest.mark.parametrize(("drop", "left"), [(0, 0), (2, 1), (1, 0), ("all", "all"), (-1, -1)])
def test_events_are_dropped_as_many_as_were_said(world: World, drop: int | str, left: int | str) -> None:
    world.panel.turn({"drop": drop})
    assert world.panel.drops() == (drop != 0)
    assert world.panel.switches.drop == left


def test_a_fault_meets_so_many_calls(world: World) -> None:
    world.panel.break_calls({"status": 503, "next": 2})
    assert [world.panel.take_fault() is not None for _ in range(3)] == [True, True, False]
    world.panel.break_calls({"hang_s": 1})
    assert all(world.panel.take_fault() for _ in range(3))
    world.panel.break_calls({})
    assert world.panel.take_fault() is None


@pytest.mark.parametrize("sent", [{"colour": 1}, {"repeat": -1}, {"drop": "some"}, {"drop": -2}, {"retry_s": 0}])
def test_a_switch_that_is_none_is_refused(world: World, sent: dict[str, object]) -> None:
    with pytest.raises(SandboxError):
        world.panel.turn(sent)
