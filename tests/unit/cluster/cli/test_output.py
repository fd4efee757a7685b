"""Tables, times and escapes on standard output."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.cli.output import Columns, local_time, print_list, printable, shortened
from tests.unit.cluster.cli.forked_command import at_a_terminal, run
from tests.unit.cluster.cli.served_gateway import served

WINTER = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
SUMMER = datetime(2026, 7, 31, 23, 30, tzinfo=UTC)
COLUMNS: Columns = {"id": "id", "entered": lambda visit: visit["at"] or "never", "name": "name"}


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def printed(capsys: pytest.CaptureFixture[str], *visits: dict[str, object]) -> list[str]:
    print_list(visits, COLUMNS, as_json=False)
    return capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("berlin")
def test_the_title_of_a_column_of_times_names_the_readers_offset_once(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, {"id": 1, "at": WINTER, "name": "Ada"}, {"id": 2, "at": None, "name": "Ben"})
    assert rows == ["ID\tENTERED (UTC+01:00)\tNAME", "1\t2026-02-01 00:30\tAda", "2\tnever\tBen"]


@pytest.mark.usefixtures("berlin")
def test_times_of_both_sides_of_a_clock_change_each_name_their_offset(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, {"id": 1, "at": WINTER, "name": "Ada"}, {"id": 2, "at": SUMMER, "name": "Ben"})
    assert rows == [
        "ID\tENTERED\tNAME",
        "1\t2026-02-01 00:30 UTC+01:00\tAda",
        "2\t2026-08-01 01:30 UTC+02:00\tBen",
    ]


@pytest.mark.usefixtures("berlin")
def test_json_keeps_utc(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([{"id": 1, "at": WINTER}], COLUMNS, as_json=True)
    assert '"2026-01-31T23:30:00Z"' in capsys.readouterr().out


@pytest.mark.usefixtures("berlin")
def test_one_time_has_its_offset_beside_it() -> None:
    assert local_time("2026-07-31T23:30:00Z") == "2026-08-01 01:30 UTC+02:00"
    assert local_time(WINTER, seconds=True) == "2026-02-01 00:30:00 UTC+01:00"
    assert local_time(None) == ""


def test_a_cell_has_neither_tabs_nor_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, {"id": 1, "at": None, "name": "Eve\t\x1b[31m\nred"})
    assert rows[1].split("\t") == ["1", "never", "Eve\\t\\x1b[31m\\nred"]
    assert printable(["a", True, None]) == "a, yes, "


def test_a_long_text_is_shortened_to_its_width() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert shortened(b"\xff" * 10, 8) == "\\xff\\xf…"


def test_an_empty_list_says_so_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([], COLUMNS, as_json=False)
    assert capsys.readouterr() == ("", "There are none.\n")


def test_version_is_printed_with_the_commit_where_it_is_known() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("fitmonitor ")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("columns", [80, 120])
def test_help_groups_the_commands_and_cuts_no_sentence(columns: int) -> None:
    written = without_styles(at_a_terminal(["--help"], {}, columns=columns, lines=100)[1])
    for panel in ("Run", "Manage", "Operate", "Measure"):
        assert f"─ {panel} ─" in written
    assert "..." not in written.replace("[ARGS]...", "")
    assert "dead" in written
    assert "letters." in written


def test_a_list_is_a_table_on_a_terminal_and_blocks_of_lines_on_a_narrow_one(tmp_path: Path) -> None:
    with served(tmp_path) as gateway:
        gym = str(gateway.harness.world.gym())
        environment = {"FITMONITOR_URL": gateway.url, "FITMONITOR_TOKEN": gateway.admin}
        shown = {
            columns: without_styles(at_a_terminal(["gym", "list"], environment, columns=columns)[1]).splitlines()
            for columns in (120, 60)
        }
    titles, row = shown[120]
    assert titles.split() == ["ID", "NAME", "ADDRESS", "TIME", "ZONE", "CAPACITY"]
    assert row.startswith(f"{gym}  Gym ")
    assert shown[60][:2] == [f"ID         {gym}", "NAME       Gym"]


def without_styles(written: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", written)
