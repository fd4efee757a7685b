"""The commands that manage a gym, on a running stack: each group from list to delete."""

from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.api import Api
from tests.e2e.commands import Commands


@pytest.fixture(scope="module")
def gym(fm: Commands) -> str:
    words = ("--address", "Cliff Road 1", "--time-zone", "Europe/Berlin", "--capacity", "30")
    made = fm.json("gym", "create", "Cliffside", *words)
    name: str = made["name"]
    return name


def test_gyms(fm: Commands, gym: str) -> None:
    listed = fm.json("gym", "list")
    assert {"Riverside", gym} <= {each["name"] for each in listed}
    assert fm.said("gym", "list", "--limit", "1").count("\n") == 2, "titles and one row"
    changed = fm.json("gym", "change", gym, "--capacity", "31", "--version", "1")
    assert (changed["capacity"], changed["version"]) == (31, 2)
    assert "somebody else changed it first" in fm.refused(1, "gym", "change", gym, "--capacity", "32", "--version", "1")
    assert fm.said("gym", "hours", gym) == "Now it is open.\n"
    assert fm.said("gym", "occupancy", gym) == "0 of 31 inside\n"
    assert "2 of 31 inside" in fm.said("gym", "head-count", gym, "2", "--reason", "round")
    assert len(fm.json("gym", "inside", gym)) == 2
    assert fm.json("gym", "head-counts", gym)[0]["reason"] == "round"
    assert "ount again" in fm.refused(1, "gym", "head-count", gym, "900", "--reason", "typo")
    assert fm.refused(1, "gym", "delete", gym, "--yes").endswith("keeps its history\n")
    assert "--force" in fm.refused(1, "gym", "retire", gym)
    assert "is retired" in fm.said("gym", "retire", gym, "--force")
    assert gym not in fm.said("gym", "list")
    assert len(fm.json("gym", "inside", gym)) == 2
    assert "in operation" in fm.said("gym", "reopen", gym)
    assert fm.refused(4, "gym", "show", "Atlantis").startswith("fitmonitor: there is no gym Atlantis")
    twin = fm.json("gym", "create", gym, "--address", "x", "--time-zone", "UTC", "--capacity", "1")
    assert twin["id"] in fm.refused(2, "gym", "show", gym), "both are named"
    assert "--yes" in fm.refused(2, "gym", "delete", twin["id"])
    assert "is deleted" in fm.said("gym", "delete", twin["id"], "--yes")


def test_gates_and_devices(fm: Commands, gym: str) -> None:
    door = f"{gym}/Side door"
    made = fm.json("gate", "create", gym, "Side door", "--serves", "in")
    assert "no other gate of the gym has" in fm.refused(1, "gate", "create", gym, "Side door")
    assert made["id"] in fm.said("gate", "list", gym)
    assert fm.json("gate", "change", door, "--serves", "both")["serves"] == "both"
    assert fm.json("gate", "show", made["id"])["version"] == 2
    paired = fm.json("device", "pair", door, "--name", "Tablet")
    assert [each["id"] for each in fm.json("device", "pairings", door)] == [paired["id"]]
    credential = fm.said("device", "claim", paired["code"]).strip()
    assert credential.count(".") == 1
    assert "works once" in fm.refused(4, "device", "claim", paired["code"])
    shown = fm.said("device", "pair", door, "--name", "Second")
    assert "code " in shown
    assert "█" in shown
    waiting = fm.json("device", "pairings", door)[0]["id"]
    assert fm.said("device", "unpair", waiting)
    assert fm.json("device", "pairings", door) == []
    assert fm.said("device", "create", door, "--name", "Turnstile").strip().count(".") == 1
    assert sorted(each["name"] for each in fm.json("device", "list", gym)) == ["Tablet", "Turnstile"]
    assert "--yes" in fm.refused(2, "device", "delete", f"{gym}/Tablet")
    assert fm.said("device", "delete", f"{gym}/Tablet", "--yes") == "Tablet is revoked.\n"
    assert [each["name"] for each in fm.json("device", "list", gym)] == ["Turnstile"]
    assert "is out of use" in fm.said("gate", "delete", door, "--yes")
    assert fm.refused(4, "gate", "show", door)


def test_machines(fm: Commands, gym: str, tmp_path: Path) -> None:
    picture = tmp_path / "rower.png"
    Image.effect_noise((400, 300), 60).convert("RGB").save(picture)
    words = ("--type", "rower", "--image", str(picture))
    made = fm.json("machine", "create", gym, "Rower 7", *words)
    rower = f"{gym}/Rower 7"
    assert fm.json("machine", "show", f"{gym}/{made['number']}")["id"] == made["id"]
    assert "By the window" in fm.said("machine", "change", rower, "--description", "By the window")
    assert "is out of order" in fm.said("machine", "out-of-order", rower, "--reason", "no chain")
    assert fm.json("machine", "list", gym, "--not-free")[0]["out_of_order"]["reason"] == "no chain"
    assert "is in order" in fm.said("machine", "in-order", rower)
    assert fm.json("machine", "list", gym, "--free", "--type", "rower")[0]["id"] == made["id"]
    small = tmp_path / "small.webp"
    fm.said("machine", "image", rower, "--get", str(small), "--size", "small")
    with Image.open(small) as shown:
        assert shown.size == (320, 240)
    assert "a new picture" in fm.said("machine", "image", rower, "--set", str(picture))
    fm.said("machine", "label", rower, str(tmp_path / "label.png"))
    fm.said("machine", "labels", gym, str(tmp_path / "labels.pdf"))
    assert (tmp_path / "labels.pdf").read_bytes().startswith(b"%PDF")
    (tmp_path / "no.png").write_bytes(b"<svg/>")
    refused = fm.refused(1, "machine", "create", gym, "x", "--type", "y", "--image", str(tmp_path / "no.png"))
    assert "picture" in refused
    assert "is retired" in fm.said("machine", "retire", rower)
    assert fm.json("machine", "list", gym) == []
    assert "in service" in fm.said("machine", "reopen", rower)
    assert "--yes" in fm.refused(2, "machine", "delete", rower)
    assert "is deleted" in fm.said("machine", "delete", rower, "--yes")
    assert fm.refused(4, "machine", "show", made["id"])


def test_as_names_the_user_who_acts(fm: Commands, stack: Api) -> None:
    staff = stack.demo["staff"]["email"]
    assert "Admin" in fm.refused(1, "gym", "--as", staff, "create", "x", "--address", "y", "--time-zone", "UTC",
                                 "--capacity", "1")  # fmt: skip
    assert fm.refused(4, "gym", "--as", "nobody@example.org", "list")
    member = stack.member()
    fm.said("user", "--as", stack.demo["admin"]["email"], "disable", member, "--yes")
    change = fm.json("user", "history", member)[0]
    admin = fm.json("user", "show", stack.demo["admin"]["email"])
    assert (change["what"], change["by_id"]) == ("disabled", admin["id"])
    assert fm.json("user", "enable", member)["state"] == "active"


def test_a_command_leaves_no_session_behind(fm: Commands, stack: Api) -> None:
    fm.said("gym", "list")
    sessions = stack.client.get("/me/sessions?limit=200", headers=stack.admin).json()["items"]
    assert not [each for each in sessions if each["device"].startswith("fitmonitor")]
