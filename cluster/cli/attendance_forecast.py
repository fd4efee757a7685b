"""`fitmonitor attendance forecast` and `backtest`: how full gyms will be, and how good that forecast is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import typer

from cluster.cli.output import Columns, print_json, print_list, print_plain, printable
from cluster.errors import CommandError, ExitCode
from domain.attendance.forecast.backtest import Backtest, Score, backtest
from domain.attendance.forecast.forecaster import Forecaster
from domain.attendance.forecast.holiday_rules import calendar_of
from domain.attendance.forecast.model import LEAST_WEEKS, WEEK_HOURS, WINDOW_WEEKS, Calendar, Forecast, History
from integrations.occupancy_file import OccupancyFileError, read_history

HistoryFile = Annotated[
    Path,
    typer.Option(
        "--history",
        metavar="FILE",
        show_default=False,
        help="Parquet with the columns gym, hour_local, mean_inside, observed: one row per gym and local hour.",
    ),
]
Country = Annotated[
    str,
    typer.Option(
        metavar="CODE", help="Public holidays of this country (ISO 3166) are special days; `none` for no holidays."
    ),
]
Subdivision = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help="Holidays of this canton or state, like ZH (default: those of at least half of the country).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; its shape is in docs/attendance.md.")]

_DECIMALS = 4
_TOO_LITTLE = "too_little_history"
_ZONE_HELP = "an IANA name like Europe/Zurich"


class MissingFileError(CommandError):
    """The history file does not exist."""

    exit_code = ExitCode.NOT_FOUND


def backtest_command(
    history: HistoryFile,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="The first origin, like 2026-01-05 (default: 12 weeks after the first hour).",
            show_default=False,
        ),
    ] = None,
    country: Country = "CH",
    subdivision: Subdivision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure the forecast on past weeks: 168 hours from an origin every 7 days, each from data before its origin.

    Points are the observed hours. The naive forecast is the value of the same hour a week before. MASE is the mean
    absolute error of the forecast divided by that of the naive one, on the same points, per gym and over all points.
    MASE-OBS is the same, only on points whose hour a week before was observed too. IN-50 and IN-90 are the shares of
    points within the bands.

    Example: fitmonitor attendance backtest --history occupancy.parquet --since 2026-01-05
    """
    found = _read(history, country, subdivision)
    first = None if since is None else _day(since)
    if first is not None and first >= found.hour(found.hours):
        raise CommandError(
            f"--since {since} is after the history, which ends on {found.hour(found.hours - 1):%Y-%m-%d}",
            "name an earlier day",
        )
    result = backtest(found, first)
    if as_json:
        print_json(_backtest_document(result))
        return
    _print_backtest(found, result)


def forecast_command(
    history: HistoryFile,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The first hour, like 2026-04-01T00:00, on the gyms' clock (default: after the last observed hour).",
            show_default=False,
        ),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=WEEK_HOURS, help="Number of hours.")] = WEEK_HOURS,
    time_zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="The gyms' time zone, to which a --at with an offset is converted (default: it counts as written).",
            show_default=False,
        ),
    ] = None,
    country: Country = "CH",
    subdivision: Subdivision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Forecast how many people are inside, by the hour, with bands that hold 50 % and 90 % of the hours.

    It reads only what the history has before TIME. A gym with less than three weeks of history has no forecast.

    Example: fitmonitor attendance forecast --history occupancy.parquet --at 2026-04-01T00:00 --hours 168 --json
    """
    found = _read(history, country, subdivision)
    start = _after_last(found) if at is None else _hour(at, time_zone)
    if not found.start < start <= found.hour(found.hours) + timedelta(weeks=WINDOW_WEEKS):
        raise CommandError(
            f"--at {start:%Y-%m-%dT%H:%M} is too far from the history, {found.start:%Y-%m-%d} to "
            f"{found.hour(found.hours - 1):%Y-%m-%d}",
            f"name a time within it, or at most {WINDOW_WEEKS} weeks after it",
        )
    result = Forecaster(found.until(start)).forecast(start, hours)
    if as_json:
        print_json(_forecast_document(result, hours))
        return
    _print_forecast(result, hours)


def _read(file: Path, country: str, subdivision: str | None) -> History:
    if not file.is_file():
        raise MissingFileError(f"{file} is not a file", "name the Parquet file of the history")
    try:
        found = read_history(file)
    except OccupancyFileError as error:
        raise CommandError(error.message, error.hint) from error
    if country.lower() == "none":
        return found
    years = range(found.start.year, found.hour(found.hours).year + 2)
    return replace(found, calendar=_calendar(country, subdivision, years))


def _calendar(country: str, subdivision: str | None, years: Sequence[int]) -> Calendar:
    try:
        return calendar_of(country.upper(), subdivision, years)
    except NotImplementedError as error:
        named = country if subdivision is None else f"{country}-{subdivision}"
        raise CommandError(
            f"no public holidays are known of {named}",
            "name a country like CH and a subdivision like ZH, or --country none",
        ) from error


def _day(text: str) -> datetime:
    try:
        return datetime.combine(datetime.fromisoformat(text).date(), time())
    except ValueError as error:
        raise CommandError(f"{text} is not a day", "write it like 2026-03-01") from error


def _hour(text: str, time_zone: str | None) -> datetime:
    """The local hour in which a time lies."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is not a time", "write it like 2026-03-01T13:00") from error
    if found.tzinfo is not None and time_zone is not None:
        try:
            found = found.astimezone(ZoneInfo(time_zone))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise CommandError(f"{time_zone} is not a time zone", f"write {_ZONE_HELP}") from error
    return found.replace(minute=0, second=0, microsecond=0, tzinfo=None)


def _after_last(history: History) -> datetime:
    observed = np.flatnonzero(history.observed.any(0))
    if len(observed) == 0:
        raise CommandError("the history has no observed hour", "set observed to true where a value was measured")
    return history.hour(int(observed[-1]) + 1)


def _backtest_document(result: Backtest) -> dict[str, Any]:
    return {
        "horizon_hours": WEEK_HOURS,
        "origins": [f"{origin:%Y-%m-%dT%H:%M:%S}" for origin in result.origins],
        "mase_definition": "MAE of the forecast / MAE of the naive forecast on the same points; "
        "naive: the same hour a week before; points: observed hours",
        "gyms": [{"gym": gym, "status": _status(score), **_scores(score)} for gym, score in result.gyms.items()],
        "overall": {"pooled": _scores(result.pooled), "mean_over_gyms": _scores(result.mean)},
    }


def _scores(score: Score) -> dict[str, float | None]:
    return {
        "points": score.points,
        "mae": _rounded(score.mae),
        "naive_mae": _rounded(score.naive_mae),
        "mase": _rounded(score.mase),
        "mase_observed": _rounded(score.mase_observed),
        "coverage_50": _rounded(score.coverage_50),
        "coverage_90": _rounded(score.coverage_90),
    }


def _status(score: Score) -> str:
    return "ok" if score.points else _TOO_LITTLE


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)


def _print_backtest(history: History, result: Backtest) -> None:
    if not result.origins:
        print_plain(
            f"No origin: the history from {history.start:%Y-%m-%d} to {history.hour(history.hours - 1):%Y-%m-%d} is "
            f"shorter than {WINDOW_WEEKS} weeks. Name an earlier one with --since."
        )
        return
    rows = [(printable(gym), score) for gym, score in result.gyms.items() if score.points]
    columns: Columns = {
        "gym": lambda row: row[0],
        "hours": lambda row: row[1].points,
        "MAE": lambda row: _number(row[1].mae, 2),
        "naive MAE": lambda row: _number(row[1].naive_mae, 2),
        "MASE": lambda row: _number(row[1].mase, 3),
        "MASE-obs": lambda row: _number(row[1].mase_observed, 3),
        "in-50": lambda row: _percent(row[1].coverage_50),
        "in-90": lambda row: _percent(row[1].coverage_90),
    }
    print_list([*rows, ("all, pooled over hours", result.pooled)], columns, as_json=False)
    print_plain(
        f"{len(result.origins)} origins from {result.origins[0]:%Y-%m-%d} to {result.origins[-1]:%Y-%m-%d}, "
        "168 hours each. MASE = MAE / naive MAE on the same hours; naive: the same hour a week before."
    )
    short = [printable(gym) for gym, score in result.gyms.items() if not score.points]
    if short:
        typer.echo(
            f"Too little history (less than {LEAST_WEEKS} weeks) or nothing to compare: {', '.join(short)}", err=True
        )


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _forecast_document(result: Forecast, hours: int) -> dict[str, Any]:
    return {
        "at": f"{result.start:%Y-%m-%dT%H:%M:%S}",
        "hours": hours,
        "gyms": [
            {
                "gym": gym,
                "status": "ok" if result.known[number] else _TOO_LITTLE,
                "forecast": _hours(result, number, hours) if result.known[number] else [],
            }
            for number, gym in enumerate(result.gyms)
        ],
    }


def _hours(result: Forecast, gym: int, hours: int) -> Sequence[dict[str, Any]]:
    bands = result.bands
    columns = {
        "expected": result.expected,
        "low_50": bands.low_50,
        "high_50": bands.high_50,
        "low_90": bands.low_90,
        "high_90": bands.high_90,
    }
    return [
        {
            "hour": f"{result.start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%S}",
            **{name: round(float(values[gym, hour]), 2) for name, values in columns.items()},
        }
        for hour in range(hours)
    ]


def _print_forecast(result: Forecast, hours: int) -> None:
    rows = [
        (printable(gym), row)
        for number, gym in enumerate(result.gyms)
        if result.known[number]
        for row in _hours(result, number, hours)
    ]
    columns: Columns = {
        "gym": lambda row: row[0],
        "hour": lambda row: row[1]["hour"][:16].replace("T", " "),
        "expected": lambda row: f"{row[1]['expected']:.1f}",
        "50 %": lambda row: f"{row[1]['low_50']:.1f} to {row[1]['high_50']:.1f}",
        "90 %": lambda row: f"{row[1]['low_90']:.1f} to {row[1]['high_90']:.1f}",
    }
    print_list(rows, columns, as_json=False)
    for number, gym in enumerate(result.gyms):
        if not result.known[number]:
            typer.echo(
                f"{printable(gym)}: less than {LEAST_WEEKS} weeks of history, so there is no forecast.", err=True
            )
