"""What is saved: over a restart, for its owner only, in pages, and by idempotency keys."""

import hmac
import stat
from pathlib import Path

import pytest

from cluster.local.stripe_sandbox import sessions
from cluster.local.stripe_sandbox.errors import MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.forms import Form, decode
from cluster.local.stripe_sandbox.guard import UnsafeStartError
from cluster.local.stripe_sandbox.idempotency import IdempotencyKeys, SavedResponse
from cluster.local.stripe_sandbox.parameters import Buyer
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.sessions import SESSION
from cluster.local.stripe_sandbox.store import Body, Store
from cluster.local.stripe_sandbox.switches import Faults
from cluster.local.stripe_sandbox.webhooks import sign
from tests.unit.cluster.local.stripe_sandbox.conftest import SECRETS, Clock, sell


def ids(listed: list[Body]) -> list[str]:
    return [one["id"] for one in listed]


def test_only_the_owner_can_read_the_files(sandbox: Sandbox, tmp_path: Path) -> None:
    sell(sandbox)
    files = list((tmp_path / "sandbox").iterdir())
    assert len(files) >= 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "sandbox").stat().st_mode) == 0o700


def test_one_sandbox_uses_a_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.store.now()
    with pytest.raises(UnsafeStartError, match="another sandbox"):
        Store(tmp_path / "sandbox")


def test_a_restart_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    sandbox = Sandbox.open(tmp_path, SECRETS, "http://127.0.0.1:1", clock)
    session = sell(sandbox)
    sandbox.panel.set_switches({"drop": 3, "delay_s": 2})
    sandbox.panel.set_faults({"status": 500, "next": 2})
    sandbox.store.close()
    sandbox = Sandbox.open(tmp_path, SECRETS, "http://127.0.0.1:1", clock)
    assert sandbox.store.get(SESSION, session["id"]).body == session
    assert (sandbox.panel.switches.drop, sandbox.panel.switches.delay_s) == (3, 2)
    assert sandbox.panel.faults.next == 2
    sandbox.store.close()


def test_a_failed_transaction_changes_nothing(sandbox: Sandbox) -> None:
    session = sell(sandbox)

    def pay_and_break() -> None:
        with sandbox.store.transaction():
            sessions.pay(sandbox, session["id"], Buyer())
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the one that was raised above
        pay_and_break()
    assert sandbox.store.get(SESSION, session["id"]).body["status"] == "open"
    assert sandbox.store.run("SELECT COUNT(*) FROM objects WHERE object = 'event'") == [(0,)]


def test_objects_are_listed_newest_first_a_page_at_a_time(sandbox: Sandbox, clock: Clock) -> None:
    made = []
    for number in range(7):
        clock.now += number % 2  # some in the same second
        made.append(sell(sandbox)["id"])
    made.reverse()
    newest = sandbox.store.newest
    assert ids(newest(SESSION, 3)) == made[:3]
    assert ids(newest(SESSION, 3, after=made[2])) == made[3:6]
    assert ids(newest(SESSION, 3, after=made[5])) == made[6:]
    with pytest.raises(MissingResourceError):
        newest(SESSION, 3, after="cs_no")


def test_lists_are_filtered(sandbox: Sandbox, clock: Clock) -> None:
    old = sell(sandbox)
    clock.now += 10
    new = sessions.pay(sandbox, sell(sandbox)["id"], Buyer())
    assert ids(sandbox.store.newest(SESSION, 9, since=int(clock.now))) == [new["id"]]
    assert ids(sandbox.store.newest(SESSION, 9, since=int(clock.now) - 10)) == [new["id"], old["id"]]
    assert ids(sandbox.store.newest(SESSION, 9, payment_intent=new["payment_intent"])) == [new["id"]]


def test_a_saved_response_is_returned_for_a_day(sandbox: Sandbox, clock: Clock) -> None:
    keys, form, answer = IdempotencyKeys(sandbox.store), decode("a=1&b[c]=2"), SavedResponse(200, "{}", "req_1")
    assert keys.claim("k", "/v1/refunds", form) is None
    keys.save("k", "/v1/refunds", form, answer)
    keys.release("k")
    assert keys.claim("k", "/v1/refunds", decode("b[c]=2&a=1")) == answer
    clock.now += 24 * 3600 + 1
    keys.delete_old()
    assert keys.claim("k", "/v1/refunds", form) is None


@pytest.mark.parametrize(("path", "form"), [("/v1/refunds", {"a": "2"}), ("/v1/other", {"a": "1"})])
def test_a_key_is_for_one_call(sandbox: Sandbox, path: str, form: Form) -> None:
    keys = IdempotencyKeys(sandbox.store)
    keys.save("k", "/v1/refunds", {"a": "1"}, SavedResponse(200, "{}", "req_1"))
    with pytest.raises(SandboxError) as error:
        keys.claim("k", path, form)
    assert (error.value.status, error.value.kind) == (400, "idempotency_error")


def test_a_key_in_use_is_refused_until_it_is_released(sandbox: Sandbox) -> None:
    keys = IdempotencyKeys(sandbox.store)
    assert keys.claim("k", "/v1/refunds", {}) is None
    with pytest.raises(SandboxError) as error:
        keys.claim("k", "/v1/refunds", {})
    assert (error.value.status, error.value.code) == (409, "idempotency_key_in_use")
    keys.release("k")
    assert keys.claim("k", "/v1/refunds", {}) is None


def test_a_signature_is_what_stripe_describes() -> None:
    expected = "t=5,v1=" + hmac.new(b"whsec_1", b"5.{}", "sha256").hexdigest()
    assert sign(b"{}", "whsec_1", 5) == expected


@pytest.mark.parametrize(("drop", "left"), [(0, 0), (2, 1), (1, 0), ("all", "all"), (-1, -1)])
def test_the_given_number_of_events_is_dropped(sandbox: Sandbox, drop: int | str, left: int | str) -> None:
    sandbox.panel.set_switches({"drop": drop})
    assert sandbox.panel.drops_event() == (drop != 0)
    assert sandbox.panel.switches.drop == left


def test_a_fault_affects_the_given_number_of_calls(sandbox: Sandbox) -> None:
    sandbox.panel.set_faults({"status": 503, "next": 2})
    assert [sandbox.panel.take_fault().is_on for _ in range(3)] == [True, True, False]
    sandbox.panel.set_faults({"hang_s": 1})
    assert all(sandbox.panel.take_fault().is_on for _ in range(3))
    sandbox.panel.set_faults({})
    assert sandbox.panel.take_fault() == Faults()


@pytest.mark.parametrize("sent", [{"colour": 1}, {"repeat": -1}, {"drop": "some"}, {"drop": -2}, {"retry_s": 0}])
def test_an_unknown_switch_or_value_is_refused(sandbox: Sandbox, sent: dict[str, object]) -> None:
    with pytest.raises(SandboxError):
        sandbox.panel.set_switches(sent)
