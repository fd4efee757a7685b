"""`fitmonitor attendance`, in this process."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from cluster.cli.attendance import app
from cluster.cli.attendance_forecast import MissingFileError
from cluster.errors import CommandError
from tests.unit.domain.attendance.generated import MONDAY, values

WEEKS = 16
HOURS = pl.datetime_range(
    MONDAY, MONDAY + timedelta(weeks=WEEKS), interval="1h", closed="left", time_unit="ns", eager=True
)
LIMITS = ("low_90", "low_50", "expected", "high_50", "high_90")


def table(gyms: int = 2) -> pl.DataFrame:
    made = values(WEEKS, gyms)
    frames = [
        pl.DataFrame({"gym": f"Gym {number}", "hour_local": HOURS, "mean_inside": row, "observed": row > 0})
        for number, row in enumerate(made)
    ]
    return pl.concat(frames)


def written(folder: Path, frame: pl.DataFrame) -> Path:
    file = folder / "occupancy.parquet"
    frame.write_parquet(file)
    return file


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def parsed(*words: object) -> dict[str, object]:
    done = run(*words, "--json")
    assert done.exception is None, done.exception
    found: dict[str, object] = json.loads(done.stdout)
    return found


def refused(*words: object) -> str:
    done = run(*words)
    assert isinstance(done.exception, CommandError), done.output
    return str(done.exception)


@pytest.fixture(scope="module")
def occupancy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("history"), table())


def test_a_forecast_is_printed_as_json(occupancy: Path) -> None:
    found = parsed("forecast", "--history", occupancy, "--at", "2025-06-23T00:00", "--hours", 168)
    assert (found["at"], found["hours"]) == ("2025-06-23T00:00:00", 168)
    gyms = found["gyms"]
    assert isinstance(gyms, list)
    assert [(gym["gym"], gym["status"], len(gym["forecast"])) for gym in gyms] == [
        ("Gym 0", "ok", 168),
        ("Gym 1", "ok", 168),
    ]
    for hour in gyms[0]["forecast"]:
        ordered = [hour[name] for name in LIMITS]
        assert ordered == sorted(ordered)
        assert ordered[0] >= 0
    assert gyms[0]["forecast"][1]["hour"] == "2025-06-23T01:00:00"


def test_a_forecast_begins_after_the_last_observed_hour(occupancy: Path) -> None:
    assert parsed("forecast", "--history", occupancy, "--hours", 1)["at"] == "2025-06-22T23:00:00"


@pytest.mark.parametrize(
    ("at", "zone", "first"),
    [
        ("2025-06-20", None, "2025-06-20T00:00:00"),
        ("2025-06-20T13:45", None, "2025-06-20T13:00:00"),
        ("2025-06-20T13:00+02:00", None, "2025-06-20T13:00:00"),
        ("2025-06-20T13:00Z", "Europe/Zurich", "2025-06-20T15:00:00"),
        ("2025-07-20T13:00", None, "2025-07-20T13:00:00"),
    ],
)
def test_the_first_hour_may_have_a_zone(occupancy: Path, at: str, zone: str | None, first: str) -> None:
    options = () if zone is None else ("--time-zone", zone)
    assert parsed("forecast", "--history", occupancy, "--at", at, "--hours", 1, *options)["at"] == first


def test_a_backtest_is_printed_as_json(occupancy: Path) -> None:
    found = parsed("backtest", "--history", occupancy)
    assert found["origins"] == [f"2025-{day}T00:00:00" for day in ("05-26", "06-02", "06-09", "06-16")]
    overall, gyms = found["overall"], found["gyms"]
    assert isinstance(overall, dict)
    assert isinstance(gyms, list)
    fields = ["points", "mae", "naive_mae", "mase", "mase_observed", "coverage_50", "coverage_90"]
    assert list(overall["pooled"]) == list(overall["mean_over_gyms"]) == fields
    assert list(gyms[0]) == ["gym", "status", *fields]
    assert 0 < overall["pooled"]["mase"] < 1


def test_a_backtest_from_a_day_on_is_printed(occupancy: Path) -> None:
    done = run("backtest", "--history", occupancy, "--since", "2025-06-11")
    assert done.exit_code == 0
    assert "MASE" in done.output
    assert "pooled" in done.output
    assert "2 origins from 2025-06-11 to 2025-06-18" in done.output


def test_a_short_history_says_so(tmp_path: Path) -> None:
    file = written(tmp_path, table().filter(pl.col("hour_local") < MONDAY + timedelta(days=14)))
    found = parsed("forecast", "--history", file, "--at", "2025-03-17")
    assert [gym["status"] for gym in found["gyms"]] == ["too_little_history"] * 2  # type: ignore[attr-defined]
    done = run("forecast", "--history", file)
    assert "less than 3 weeks" in done.output
    pooled = parsed("backtest", "--history", file)["overall"]["pooled"]  # type: ignore[index]
    assert pooled == {"points": 0} | dict.fromkeys(list(pooled)[1:])
    assert "shorter than 12 weeks" in run("backtest", "--history", file).output


FORMS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "unsorted": lambda frame: frame.sample(fraction=1.0, shuffle=True, seed=1),
    "duplicates": lambda frame: pl.concat([frame, frame.head(1000)]),
    "microseconds": lambda frame: frame.with_columns(pl.col("hour_local").cast(pl.Datetime("us"))),
    "text": lambda frame: frame.with_columns(pl.col("hour_local").dt.strftime("%Y-%m-%dT%H:%M:%S")),
    "zone": lambda frame: frame.with_columns(pl.col("hour_local").dt.replace_time_zone("Etc/GMT-1")),
    "categories": lambda frame: frame.with_columns(pl.col("gym").cast(pl.Categorical)),
    "numbers for observed": lambda frame: frame.with_columns(pl.col("observed").cast(pl.Int8)),
    "another column": lambda frame: frame.with_columns(weather=pl.lit("sun")),
    "closed hours without rows": lambda frame: frame.filter(pl.col("observed")),
    "NaN and null where not observed": lambda frame: frame.with_columns(
        pl.when(pl.col("observed")).then(pl.col("mean_inside")).otherwise(float("nan")),
        pl.when(pl.col("observed")).then(pl.col("observed")),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_file_does_not_matter(occupancy: Path, tmp_path: Path, form: str) -> None:
    words = ("--at", "2025-06-23", "--hours", 24)
    other = written(tmp_path, FORMS[form](table()))
    assert parsed("forecast", "--history", other, *words) == parsed("forecast", "--history", occupancy, *words)


def test_numbers_name_gyms_too_and_float32_is_as_good(tmp_path: Path) -> None:
    numbered = table().with_columns(pl.col("gym").str.slice(4).cast(pl.Int64), pl.col("mean_inside").cast(pl.Float32))
    found = parsed("forecast", "--history", written(tmp_path, numbered), "--hours", 1)
    assert [gym["gym"] for gym in found["gyms"]] == ["0", "1"]  # type: ignore[attr-defined]


def test_hours_of_one_name_are_averaged_and_missing_ones_are_gaps(tmp_path: Path) -> None:
    """As on the days when clocks change."""
    frame = table()
    night = MONDAY + timedelta(weeks=9, hours=10)
    twice = frame.filter(pl.col("hour_local") == night).with_columns(pl.col("mean_inside") * 3)
    gap = frame.filter(pl.col("hour_local") != night + timedelta(hours=1))
    assert parsed("backtest", "--history", written(tmp_path, pl.concat([gap, twice])))["origins"]


def test_values_that_are_no_numbers_of_people_are_gaps(tmp_path: Path) -> None:
    odd = np.array([float("inf"), -5.0, float("nan")] * 56)
    frame = table(1).with_columns(
        mean_inside=pl.Series(np.concatenate([values(WEEKS, 1)[0, :-168], odd])), observed=pl.lit(value=True)
    )
    found = parsed("backtest", "--history", written(tmp_path, frame))
    assert found["gyms"][0]["points"] == 3 * 168  # type: ignore[index]


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    file = written(tmp_path, table().drop("observed").rename({"gym": "site"}))
    message = refused("backtest", "--history", file)
    assert "has no column gym, observed" in message
    assert "site" in message
    assert "add or rename columns" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hour_local": pl.lit("soon")}, "column hour_local is String"),
        ({"hour_local": pl.lit(7)}, "column hour_local is Int32"),
        ({"mean_inside": pl.lit("many")}, "column mean_inside is String"),
        ({"observed": pl.lit("perhaps")}, "column observed is String"),
        ({"gym": pl.lit(None)}, "has no row with a gym and an hour"),
        ({"hour_local": pl.when(pl.col("observed")).then(pl.datetime(1970, 1, 1)).otherwise("hour_local")}, "too much"),
    ],
)
def test_a_column_of_another_type_is_refused(tmp_path: Path, change: dict[str, pl.Expr], said: str) -> None:
    assert said in refused("backtest", "--history", written(tmp_path, table().with_columns(**change)))


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "occupancy.parquet"
    file.write_text("gym,hour_local\n")
    assert "cannot be read as Parquet" in refused("backtest", "--history", file)


def test_a_missing_file_has_the_exit_code_of_things_that_do_not_exist(tmp_path: Path) -> None:
    error = run("backtest", "--history", tmp_path / "missing.parquet").exception
    assert isinstance(error, MissingFileError)
    assert error.exit_code == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backtest", "--since", "2025-06-23"), "is after the history"),
        (("backtest", "--since", "soon"), "is not a day"),
        (("backtest", "--country", "XX"), "no public holidays are known of XX"),
        (("backtest", "--subdivision", "XX"), "no public holidays are known of CH-XX"),
        (("forecast", "--at", "soon"), "is not a time"),
        (("forecast", "--at", "2026-06-23"), "too far from the history"),
        (("forecast", "--at", "2024-06-23"), "too far from the history"),
        (("forecast", "--at", "2025-06-20T13:00Z", "--time-zone", "Nowhere"), "is not a time zone"),
    ],
)
def test_an_option_out_of_range_says_what_to_do(occupancy: Path, words: tuple[str, ...], said: str) -> None:
    assert said in refused(words[0], "--history", occupancy, *words[1:])


def test_holidays_of_a_country_may_be_named_or_switched_off(occupancy: Path) -> None:
    for words in (("--country", "none"), ("--country", "de", "--subdivision", "BY"), ("--subdivision", "ZH")):
        assert parsed("backtest", "--history", occupancy, *words)["origins"]
