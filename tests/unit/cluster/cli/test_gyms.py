"""`fitmonitor gym`, as a client of the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cluster.cli.api.errors import ApiError, NotFoundError, UsageError
from cluster.errors import CommandError
from domain.door.model import Outcome
from domain.ids import new_id
from tests.unit.cluster.cli.served_gateway import ServedGateway, served
from tests.world import World

OVERLAPPING = {"hours": [{"weekday": 0, "opens": "06:00", "closes": "05:00"}]}
NOBODY = "0198c0de-0000-7000-8000-000000000000"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ServedGateway]:
    with served(tmp_path) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """With three gyms, two of one name, that no test changes."""
    with served(tmp_path_factory.mktemp("crowded")) as gateway:
        for name in ("Once", "Twice", "Twice"):
            create(gateway, name)
        yield gateway


def create(gateway: ServedGateway, name: str, *further: str) -> dict[str, Any]:
    place = ("--address", "Quay 7", "--time-zone", "Europe/Berlin", "--capacity", "12")
    made: dict[str, Any] = parsed(gateway, "gym", "create", name, *place, "--json", *further)
    return made


def parsed(gateway: ServedGateway, *words: str, piped: str | None = None) -> Any:  # noqa: ANN401 - any JSON
    done = gateway.run(*words, piped=piped)
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


def enter(world: World, member: UUID, gym: UUID) -> None:
    assert world.answer(world.scan(gym, world.code(member))).outcome is Outcome.ENTERED


def names(gateway: ServedGateway, *words: str) -> list[str]:
    return [gym["name"] for gym in parsed(gateway, "gym", "list", "--json", *words)]


def test_a_gym_is_made_listed_retired_and_reopened(gateway: ServedGateway) -> None:
    assert gateway.run("gym", "list").output == "There are none.\n"
    made = create(gateway, " Riverside ")
    assert (made["name"], made["capacity"], made["version"]) == ("Riverside", 12, 1)
    place = ("--address", "Mill Lane 2", "--time-zone", "Europe/Lisbon", "--capacity", "4")
    second = gateway.run("gym", "create", "Old Mill", *place).output
    assert second.startswith("Old Mill is gym ")
    assert names(gateway) == ["Riverside", "Old Mill"]
    rows = gateway.run("gym", "list").output.splitlines()
    assert rows == [
        "ID\tNAME\tADDRESS\tTIME ZONE\tCAPACITY",
        f"{made['id']}\tRiverside\tQuay 7\tEurope/Berlin\t12",
        f"{second.split()[-1][:-1]}\tOld Mill\tMill Lane 2\tEurope/Lisbon\t4",
    ]
    assert gateway.run("gym", "retire", "RIVERSIDE").output == "Riverside is retired. Its history is kept.\n"
    assert names(gateway) == ["Old Mill"]
    assert names(gateway, "--retired") == ["Riverside"]
    assert parsed(gateway, "gym", "show", "2", "--json")["name"] == "Old Mill", "by its number"
    assert "retired" in gateway.run("gym", "show", "Riverside").output, "what is retired is still shown"
    assert gateway.run("gym", "reopen", "riverside").output == "Riverside is in operation.\n"
    assert names(gateway) == ["Riverside", "Old Mill"]


def test_a_gym_with_people_inside_is_retired_by_force_only(gateway: ServedGateway) -> None:
    gym = gateway.harness.world.gym()
    (member,) = gateway.harness.world.members(1)
    enter(gateway.harness.world, member, gym)
    refused = gateway.run("gym", "retire", str(gym)).exception
    assert isinstance(refused, ApiError)
    assert refused.code == "gym_not_empty"
    assert "People inside: 1." in str(refused)
    assert "--force" in str(refused)
    assert names(gateway) == ["Gym"]
    assert gateway.run("gym", "retire", str(gym), "--force").output == "Gym is retired. Its history is kept.\n"
    assert gateway.run("gym", "occupancy", str(gym)).exit_code == 0
    assert "Mia" in gateway.run("gym", "inside", str(gym)).output


def test_an_active_gym_is_preferred_unless_one_is_reopened(gateway: ServedGateway) -> None:
    old = create(gateway, "Riverside")
    gateway.run("gym", "retire", old["id"])
    new = create(gateway, "Riverside")
    assert parsed(gateway, "gym", "show", "Riverside", "--json")["id"] == new["id"]
    assert parsed(gateway, "gym", "reopen", "Riverside", "--json")["id"] == old["id"]


def test_a_change_names_the_version_that_was_read(gateway: ServedGateway) -> None:
    create(gateway, "Riverside")
    words = ("gym", "change", "Riverside", "--capacity", "20", "--reentry-after", "never", "--version", "1")
    changed = parsed(gateway, *words, "--json")
    assert (changed["capacity"], changed["reentry_after_s"], changed["version"]) == (20, None, 2)
    late = gateway.run(*words).exception
    assert isinstance(late, ApiError)
    assert late.code == "changed_meanwhile"
    assert "somebody else changed it first" in str(late)
    assert parsed(gateway, "gym", "change", "Riverside", "--capacity", "21", "--json")["version"] == 3
    assert isinstance(gateway.run("gym", "change", "Riverside").exception, UsageError)
    assert isinstance(gateway.run("gym", "change", "Riverside", "--reentry-after", "soon").exception, UsageError)


def test_deleting_asks_first_and_refuses_a_gym_that_was_used(gateway: ServedGateway) -> None:
    create(gateway, "Riverside")
    asked = gateway.run("gym", "delete", "Riverside").exception
    assert str(asked).startswith("this would delete the gym Riverside")
    assert getattr(asked, "exit_code", None) == 2
    assert names(gateway) == ["Riverside"]
    stale = gateway.run("gym", "delete", "Riverside", "--yes", "--version", "7").exception
    assert isinstance(stale, ApiError)
    assert gateway.run("gym", "delete", "Riverside", "--yes").output == "Riverside is deleted.\n"
    used = gateway.harness.world.gym()
    (member,) = gateway.harness.world.members(1)
    enter(gateway.harness.world, member, used)
    refused = gateway.run("gym", "delete", str(used), "--yes").exception
    assert isinstance(refused, ApiError)
    assert refused.code == "gym_in_use"
    assert "fitmonitor gym retire" in str(refused)


def test_hours_are_shown_as_they_were_set(gateway: ServedGateway, tmp_path: Path) -> None:
    made = create(gateway, "Riverside")
    assert gateway.run("gym", "hours", made["id"]).output == "Now it is open.\n"
    wanted = {
        "hours": [{"weekday": 0, "opens": "06:00", "closes": "26:00"}],
        "exceptions": [
            {"day": "2026-12-25", "closed": True, "note": "Christmas"},
            {"day": "2026-12-26", "opens": "10:00", "closes": "12:00"},
        ],
    }
    done = gateway.run("gym", "hours", "riverside", "--set", "-", piped=json.dumps(wanted))
    assert done.output.splitlines() == [
        "Mon  06:00-26:00",
        "2026-12-25  closed  Christmas",
        "2026-12-26  10:00-12:00",
        "Now it is open until 2026-03-03 01:00 UTC.",
    ]
    kept = tmp_path / "hours.json"
    kept.write_text(gateway.run("gym", "hours", "riverside", "--json").output)
    assert json.loads(kept.read_text())["time_zone"] == "Europe/Berlin"
    again = gateway.run("gym", "hours", "riverside", "--set", str(kept))
    assert again.exit_code == 0, "what is written can be read again"
    stale = gateway.run("gym", "hours", "riverside", "--set", str(kept), "--version", "1").exception
    assert isinstance(stale, ApiError)
    assert stale.code == "changed_meanwhile"


def test_who_is_inside_is_shown_and_counted(gateway: ServedGateway, tmp_path: Path) -> None:
    gym, world = gateway.harness.world.gym(10), gateway.harness.world
    (member,) = world.members(1)
    enter(world, member, gym)
    assert gateway.run("gym", "occupancy", str(gym)).output == "1 of 10 inside\n"
    (inside,) = parsed(gateway, "gym", "inside", str(gym), "--json")
    assert inside["member_id"] == str(member)
    listed = gateway.run("gym", "inside", str(gym)).output.splitlines()
    assert listed[0] == "ID\tNAME\tSINCE (UTC)\tGATE"
    assert listed[1].startswith(f"{member}\tMia\t2026-03-02 12:00\t")
    assert gateway.run("gym", "inside", str(gym), "--pdf", str(tmp_path / "call.pdf")).exit_code == 0
    assert (tmp_path / "call.pdf").read_bytes().startswith(b"%PDF")
    told = gateway.run("gym", "head-count", str(gym), "3", "--reason", "evening round").output
    assert told == "3 of 10 inside, 1 before; visits ended: 0, visits without a name added: 2\n"
    assert "(counted)" in gateway.run("gym", "inside", str(gym)).output
    (counted,) = parsed(gateway, "gym", "head-counts", str(gym), "--json")
    assert (counted["before"], counted["counted"], counted["reason"]) == (1, 3, "evening round")
    assert "1\t3\tevening round" in gateway.run("gym", "head-counts", str(gym)).output


@pytest.mark.parametrize(
    ("words", "kind", "exit_code"),
    [
        (["retire", "nowhere"], NotFoundError, 4),
        (["retire", NOBODY], ApiError, 4),
        (["retire", "twice"], UsageError, 2),
        (["hours", "once", "--set", "nothing.json"], CommandError, 1),
        (["hours", "once", "--set", "-"], ApiError, 1),
        (["create", "x", "--address", "y", "--time-zone", "Moon/Crater", "--capacity", "1"], ApiError, 1),
    ],
)
def test_every_failure_has_its_error_and_exit_code(
    crowded: ServedGateway, words: list[str], kind: type[CommandError], exit_code: int
) -> None:
    error = crowded.run("gym", *words, piped=json.dumps(OVERLAPPING)).exception
    assert type(error) is kind, error
    assert getattr(error, "exit_code", 1) == exit_code
    assert "\n" not in str(error)
    if "twice" in words:
        _, *candidates = parsed(crowded, "gym", "list", "--json")
        assert all(gym["id"] in str(error) for gym in candidates), "the candidates are named"


def test_invalid_json_is_an_error(gateway: ServedGateway) -> None:
    create(gateway, "Riverside")
    for piped in ("no json", "[]"):
        error = gateway.run("gym", "hours", "riverside", "--set", "-", piped=piped).exception
        assert isinstance(error, CommandError)
        assert "gym hours GYM --json" in str(error)


def test_a_repeated_run_with_its_key_makes_one_gym(gateway: ServedGateway) -> None:
    key = str(new_id())
    assert create(gateway, "Riverside", "--key", key)["id"] == create(gateway, "Riverside", "--key", key)["id"]
    assert names(gateway) == ["Riverside"]


def test_a_long_list_is_followed_to_its_end_or_cut(gateway: ServedGateway) -> None:
    for _ in range(201):
        gateway.harness.world.gym()
    assert len(names(gateway)) == 201
    cut = gateway.run("gym", "list", "--limit", "3")
    assert len(cut.stdout.splitlines()) == 1 + 3
    assert cut.stderr == "There are more: raise --limit.\n"
    assert len(names(gateway, "--limit", "200")) == 200
