import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import insert
from typer.testing import Result

from cluster.errors import CommandError
from domain.door.model import PassStatus
from domain.door.tables import open_visits
from domain.identity.model import Role
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.pass_keys import PassVerifier
from integrations.tokens import TokenVerifier
from tests.unit.cluster.cli.data_folder import ADMIN, MEMBER, Stack, clean_environment


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Stack]:
    with clean_environment():
        yield Stack(tmp_path, {"COLUMNS": "120"})


@pytest.fixture
def stack(empty: Stack) -> Stack:
    empty.fill()
    return empty


def error_of(result: Result) -> CommandError:
    assert isinstance(result.exception, CommandError), result.output
    return result.exception


def verifier_of(stack: Stack) -> PassVerifier:
    assert stack.settings.passes.key_dir is not None
    return PassVerifier(stack.settings.passes.key_dir)


# token


def test_a_token_is_for_the_user_of_the_address(stack: Stack) -> None:
    result = stack.run("token", ADMIN)
    assert result.exit_code == 0
    caller = asyncio.run(TokenVerifier(stack.settings.identity).verify(result.stdout.strip()))
    assert caller.user_id == stack.ids[ADMIN]
    assert Role.ADMIN in caller.roles


def test_an_address_may_be_written_in_capitals(stack: Stack) -> None:
    assert stack.run("token", ADMIN.upper()).exit_code == 0


def test_a_token_as_json_says_until_when_it_is_good(stack: Stack) -> None:
    told = json.loads(stack.run("token", MEMBER, "--hours", "2", "--json").stdout)
    assert told["roles"] == ["User"]
    assert told["user_id"] == str(stack.ids[MEMBER])
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=119) < left <= timedelta(minutes=120)


def test_an_unknown_address_is_an_error_without_other_addresses(stack: Stack) -> None:
    error = error_of(stack.run("token", "nobody@demo.example"))
    assert "no user" in error.message
    assert MEMBER not in str(error)


def test_without_a_database_the_hint_is_to_start_the_stack(empty: Stack) -> None:
    for words in (["token", MEMBER], ["pass", "show", MEMBER], ["reconcile"]):
        assert "fitmonitor up" in error_of(empty.run(*words)).hint
    assert list(empty.settings.data_dir.iterdir()) == []


def test_a_database_without_tables_is_one_line(empty: Stack) -> None:
    Path(empty.url.removeprefix("sqlite:///")).touch()
    error = error_of(empty.run("token", MEMBER))
    assert "cannot be read" in error.message
    assert "\n" not in str(error)


# pass


def test_the_code_of_a_member_is_valid_now(stack: Stack) -> None:
    code = stack.run("pass", "show", MEMBER, "--code").stdout.strip()
    reading = verifier_of(stack).read(code, datetime.now(UTC))
    assert (reading.status, reading.member_id) == (PassStatus.VALID, stack.ids[MEMBER])


def test_the_pass_is_drawn_into_files(stack: Stack, tmp_path: Path) -> None:
    png, svg = tmp_path / "pass.png", tmp_path / "pass.svg"
    result = stack.run("pass", "show", MEMBER, "--png", str(png), "--svg", str(svg))
    assert result.stdout == ""
    found = zxingcpp.read_barcode(Image.open(png))
    assert found is not None
    assert verifier_of(stack).read(found.text, datetime.now(UTC)).status is PassStatus.VALID
    assert svg.read_bytes().startswith(b"<svg")


def test_the_pass_is_shown_in_the_terminal_and_how_long_it_is_good(stack: Stack) -> None:
    lines = stack.run("pass", "show", MEMBER).stdout.rstrip("\n").split("\n")
    assert len(lines) == 33 + 1
    assert {len(line) for line in lines[:33]} == {65}
    assert lines[33].startswith("Good until ")


def test_a_narrow_terminal_gets_a_hint(empty: Stack) -> None:
    empty.fill()
    empty.environment["COLUMNS"] = "40"
    assert "--png" in error_of(empty.run("pass", "show", MEMBER)).hint


def test_a_pass_as_json_says_when_it_is_good(stack: Stack) -> None:
    told = json.loads(stack.run("pass", "show", MEMBER, "--json").stdout)
    assert set(told) == {"code", "issued_at", "good_from", "good_until"}


def test_a_rotated_key_signs_and_the_earlier_one_verifies_until_it_is_retired(stack: Stack) -> None:
    old = stack.run("pass", "show", MEMBER, "--code").stdout.strip()
    rotated = json.loads(stack.run("pass", "rotate-key", "--json").stdout)
    assert rotated["verifying"]
    new = stack.run("pass", "show", MEMBER, "--code").stdout.strip()
    assert old.split(".", 1)[0] != new.split(".", 1)[0]
    assert verifier_of(stack).read(old, datetime.now(UTC)).status is PassStatus.VALID
    assert "Removed" in stack.run("pass", "rotate-key", "--retire").stdout
    assert verifier_of(stack).read(new, datetime.now(UTC)).status is PassStatus.FORGED


def test_a_file_that_cannot_be_written_is_named(stack: Stack, tmp_path: Path) -> None:
    result = stack.run("pass", "show", MEMBER, "--png", str(tmp_path / "nowhere" / "pass.png"))
    assert "cannot be written" in error_of(result).message


# reconcile


def test_agreement_has_exit_code_0(stack: Stack) -> None:
    result = stack.run("reconcile", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == []


def test_disagreements_are_listed_with_exit_code_3(stack: Stack) -> None:
    store = Store(stack.url, pool_size=1)
    gym_id = new_id()
    with store.writing() as connection:
        connection.execute(insert(open_visits).values(visit_id=new_id(), gym_id=gym_id, entered_at=datetime.now(UTC)))
    store.close()
    result = stack.run("reconcile")
    assert result.exit_code == 3
    assert "open_without_visit" in result.stdout
    [told] = json.loads(stack.run("reconcile", "--json").stdout)
    assert told["gym_id"] == str(gym_id)
