"""The commands for members, accounts, roles and money, on a running stack."""

from pathlib import Path
from uuid import uuid4

from tests.e2e.api import Api
from tests.e2e.commands import Commands


def test_members(fm: Commands, stack: Api) -> None:
    mia = stack.member()
    shown = fm.json("member", "show", mia)
    assert (shown["membership"]["state"], shown["inside"]) == ("active", None)
    assert "inside      no" in fm.said("member", "show", mia)
    name = shown["user"]["name"]
    assert fm.json("member", "show", name)["user"]["id"] == shown["user"]["id"], "by a name that nobody else has"
    assert "did you mean" in fm.refused(4, "member", "show", name[:4])
    assert mia in fm.said("member", "list", name.split()[0])
    assert "frozen" in fm.said("member", "freeze", mia, "7", "--reason", "ill")
    assert "unfreeze MEMBER" in fm.refused(1, "member", "freeze", mia, "7")
    assert fm.json("member", "unfreeze", mia)["state"] == "active"
    assert "--yes" in fm.refused(2, "member", "ban", mia, "--reason", "noise")
    assert fm.json("member", "ban", mia, "--reason", "noise", "--yes")["state"] == "banned"
    assert fm.json("member", "unban", mia)["state"] == "active"
    before = fm.json("member", "show", mia)["membership"]["memberships"][0]["days_left"]
    key = str(uuid4())
    for _ in range(2):
        words = ("member", "adjust", mia, "--days", "5", "--reason", "sauna", "--yes", "--key", key)
        assert fm.json(*words)["memberships"][0]["days_left"] == before + 5, "once, however often"
    kinds = [row["kind"] for row in fm.json("member", "ledger", mia)]
    assert kinds[:4] == ["adjustment", "unban", "ban", "unfreeze"]
    assert fm.json("member", "visits", mia) == []


def test_a_member_who_is_inside_is_shown_as_inside(fm: Commands, stack: Api) -> None:
    eve = stack.member()
    gate = stack.gates()[0]
    scan = gate.scan(stack.codes(stack.bearer(eve))[0], direction="enter")
    assert stack.client.post("/scans", json=scan, headers=gate.headers).json()["outcome"] == "entered"
    gym = fm.json("gym", "show", gate.gym)["name"]
    assert f"{gym}, since" in fm.said("member", "show", eve)
    assert "inside" in fm.said("member", "visits", eve)


def test_accounts_and_roles(fm: Commands, stack: Api) -> None:
    gus = stack.member()
    assert fm.json("role", "list", gus) == ["User"]
    assert fm.json("role", "give", gus, "Staff")["roles"] == ["User", "Staff"]
    assert gus in fm.said("user", "list", "--role", "Staff")
    assert "--yes" in fm.refused(2, "role", "take", gus, "Staff")
    assert fm.json("role", "take", gus, "Staff", "--yes")["roles"] == ["User"]
    assert "--yes" in fm.refused(2, "user", "delete", gus)
    assert "is deleted" in fm.said("user", "delete", gus, "--yes")
    assert fm.refused(4, "user", "show", gus)
    assert fm.run("role", "give", stack.demo["admin"]["email"], "Owner").returncode == 2


def test_plans(fm: Commands) -> None:
    made = fm.json("plan", "create", "A week", "--days", "7", "--price", "4.50", "--gym", "Riverside")
    assert (made["price"], made["covers_all_gyms"]) == ({"amount": 450, "currency": "EUR"}, False)
    assert "is not an amount" in fm.refused(2, "plan", "create", "x", "--days", "7", "--price", "4.505")
    assert "4.75 EUR" in fm.said("plan", "change", "A week", "--price", "4.75", "--version", "1")
    assert "somebody else changed it first" in fm.refused(
        1, "plan", "change", "A week", "--days", "8", "--version", "1"
    )
    assert fm.json("plan", "change", "A week", "--all-gyms")["gyms"] == []
    assert made["id"] in fm.said("plan", "list")
    assert "--yes" in fm.refused(2, "plan", "retire", "A week")
    assert "is off sale" in fm.said("plan", "retire", "a week", "--yes")
    assert made["id"] in fm.said("plan", "list", "--retired")
    assert "is on sale" in fm.said("plan", "reopen", "A week")
    fm.said("plan", "retire", "A week", "--yes")


def test_money_at_the_desk_and_back(fm: Commands, stack: Api, tmp_path: Path) -> None:
    tom = stack.member("no membership")
    sale = ("order", "desk", tom, "30 days", "--method", "cash")
    assert "paid 10.00 EUR" in fm.refused(2, *sale)
    assert fm.json("order", "list", tom) == []
    key = str(uuid4())
    sold = [fm.json(*sale, "--yes", "--key", key) for _ in range(2)]
    assert sold[0]["id"] == sold[1]["id"], "a repeated run takes money once"
    assert [order["state"] for order in fm.json("order", "list", tom)] == ["paid"]
    order = sold[0]["id"]
    assert "leave --key out" in fm.refused(1, *sale[:-1], "card_terminal", "--yes", "--key", key)
    assert "10.00 EUR" in fm.said("order", "show", order)
    (invoice,) = fm.json("invoice", "list", tom)
    assert fm.json("invoice", "show", invoice["number"], "--member", tom) == fm.json("invoice", "show", invoice["id"])
    assert "add --member" in fm.refused(2, "invoice", "show", invoice["number"])
    fm.said("invoice", "pdf", invoice["id"], str(tmp_path / "invoice.pdf"))
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF")
    back = ("order", "refund", order, "--reason", "ill", "--amount", "4.00")
    assert "refund 4.00 EUR" in fm.refused(2, *back)
    key = str(uuid4())
    assert [fm.json(*back, "--yes", "--key", key)["refunded"]["amount"] for _ in range(2)] == [400, 400]
    assert "order show" in fm.refused(1, *back[:-1], "9.00", "--yes")
    assert "fitmonitor order refund" in fm.refused(1, "order", "reverse", order, "--reason", "x", "--yes")
    mistake = fm.json(*sale, "--yes")["id"]
    assert fm.json("order", "reverse", mistake, "--reason", "twice", "--yes")["state"] == "reversed"
    assert fm.refused(2, "order", "show", "17")
    assert fm.refused(4, "order", "show", str(uuid4()))
    assert [row["kind"] for row in fm.json("invoice", "list", tom)].count("credit_note") >= 1
    assert fm.json("payments", "check") == []
