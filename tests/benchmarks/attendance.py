"""What attendance figures cost: Ray tasks next to DuckDB and to Polars alone, on the same files, with as many threads.

Run `python -m tests.benchmarks.attendance [VISITS] [GYMS] [DAYS]`. By default 50,000,000 visits of 200 gyms on 731 days
need three gigabytes in the folder of temporary files. Every engine has the same priority and an own process.
Results are compared; the benchmark fails where they differ.
"""

# ruff: noqa: S608 - nothing that somebody else wrote goes into these statements

import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import ray
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from deployments.attendance.batch import run_plan
from deployments.attendance.groups import read_set
from deployments.attendance.plan import FigureRequest, make_plan
from domain.attendance.calendar import hours, months_between
from domain.attendance.figures.compute import ArchiveFrames, compute_figures
from domain.attendance.model import FIGURES_OF, FigureTable, GymCalendar, Report, Window
from domain.attendance.reports.dwell import dwell
from domain.attendance.reports.heat_map import heat_map
from domain.attendance.reports.members import STATES_SCHEMA, members_report
from integrations.archive.schema import MACHINE_USES, SCANS, VISITS
from integrations.archive.snapshot import read_files, table_files
from integrations.figure_store import FigureStore
from tests.benchmarks.attendance_archive import generated_gyms, write_archive

LAST_DAY: Final = date(2026, 11, 29)
AS_OF: Final = datetime(2026, 12, 1, tzinfo=UTC)
REPORTS: Final = (Report.HEAT_MAP, Report.DWELL, Report.MEMBERS)
_MIB: Final = 1024 * 1024

Frames = Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class World:
    """What is measured."""

    archive: str
    gyms: tuple[GymCalendar, ...]
    first_day: date


@dataclass(frozen=True, slots=True)
class Measured:
    """One report by one engine. Memory is that of a worker where there are workers."""

    seconds: float
    cpu_s: float
    peak_mib: int
    frames: Frames


def report_frames(report: Report, facts: Mapping[FigureTable, pl.LazyFrame], world: World) -> Frames:
    """The report, from facts."""
    days = world.first_day, LAST_DAY
    match report:
        case Report.HEAT_MAP:
            return {"heat_map": heat_map(facts[FigureTable.GYM_HOURS], *days)}
        case Report.DWELL:
            found = dwell(facts[FigureTable.STAYS], facts[FigureTable.STAY_PEOPLE], *days)
            return {"summary": found.summary, "distribution": found.distribution}
        case _:
            members = members_report(facts[FigureTable.MEMBER_PERIODS], pl.DataFrame(schema=STATES_SCHEMA), *days)
            of_members = members.members.select(
                "member_key", "visits", "first_day", "last_day", "rhythm_days", "broken_rhythm"
            )
            return {"members": of_members, "cohorts": members.cohorts}


def by_ray(world: World, report: Report, folder: Path) -> Measured:
    """Ray tasks and files; the report itself in this process."""
    begin, cpu = time.monotonic(), time.process_time()
    tables = FIGURES_OF[report]
    store = FigureStore(str(folder))
    request = FigureRequest(world.archive, store, tables, world.gyms, world.first_day, LAST_DAY, AS_OF)
    plan = make_plan(request)
    batch = run_plan(plan, niceness=os.nice(0))
    frames = report_frames(report, plan.figures(store, [gym.gym_id for gym in world.gyms]), world)
    cpu_s = time.process_time() - cpu + sum(result.cpu_s for result in batch.results)
    return Measured(time.monotonic() - begin, cpu_s, batch.peak_bytes // _MIB, frames)


def by_polars(world: World, report: Report) -> Measured:
    """The same functions, month after month, in one process."""
    begin, cpu = time.monotonic(), time.process_time()
    files = table_files(world.archive, VISITS)
    facts: dict[FigureTable, list[pl.DataFrame]] = {table: [] for table in FIGURES_OF[report]}
    columns = ["gym_id", "member_key", "entered_at", "left_at", "inferred"]
    nothing = [pl.DataFrame(schema=dict(table.columns)) for table in (SCANS, MACHINE_USES)]
    for first_day, last_day in months_between(world.first_day, LAST_DAY):
        window = Window(first_day, last_day, AS_OF)
        visits = read_files(VISITS, read_set(world.gyms, window, files), columns).collect()
        computed = compute_figures(set(facts), ArchiveFrames(visits, *nothing), world.gyms, window)
        for table, found in facts.items():
            found.append(computed[table])
    frames = report_frames(report, {table: pl.concat(found).lazy() for table, found in facts.items()}, world)
    return _measured(begin, cpu, frames)


def by_duckdb(world: World, report: Report, threads: int) -> Measured:
    """SQL over the same files; heat maps month after month, which takes less memory and time than all at once."""
    begin, cpu = time.monotonic(), time.process_time()
    files = table_files(world.archive, VISITS)
    database = duckdb.connect(config={"threads": threads, "memory_limit": "8GB"})
    database.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    gyms = pl.DataFrame({"gym_id": [gym.gym_id for gym in world.gyms], "zone": [gym.time_zone for gym in world.gyms],
                         "capacity": [gym.capacity for gym in world.gyms]})  # fmt: skip
    _load(database, "gyms", gyms)
    window = Window(world.first_day, LAST_DAY, AS_OF)
    frames: Frames
    if report is Report.HEAT_MAP:
        frames = {"heat_map": _heat_map_by_duckdb(database, world, files)}
    else:
        _view(database, read_set(world.gyms, window, files))
        frames = _dwell_by_duckdb(database) if report is Report.DWELL else _members_by_duckdb(database)
    return _measured(begin, cpu, frames)


def _view(database: duckdb.DuckDBPyConnection, read: Any) -> None:  # noqa: ANN401
    columns = "gym_id, member_key, entered_at, left_at, inferred"
    parts = []
    if read.settled:
        parts.append(f"SELECT {columns} FROM read_parquet({list(read.settled)}) WHERE NOT annulled")
    if read.versioned:
        parts.append(
            f"""SELECT {columns} FROM (SELECT * FROM (SELECT * FROM read_parquet({list(read.versioned)})
            QUALIFY row_number() OVER (PARTITION BY coalesce(event_id, source || '-' || "offset"), visit_id
            ORDER BY source, "offset") = 1) QUALIFY row_number() OVER (PARTITION BY visit_id
            ORDER BY source DESC, "offset" DESC) = 1) WHERE NOT annulled"""
        )
    database.execute(f"CREATE OR REPLACE VIEW visits AS {' UNION ALL '.join(parts)}")


def _load(database: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """A table of a frame. DuckDB and Polars exchange files here: in memory they need PyArrow."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        frame.write_parquet(file.name)
        database.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM read_parquet('{file.name}')")


def _result(database: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        database.execute(f"COPY ({query}) TO '{file.name}' (FORMAT parquet)")
        return pl.read_parquet(file.name)


def _heat_map_by_duckdb(database: duckdb.DuckDBPyConnection, world: World, files: Any) -> pl.DataFrame:  # noqa: ANN401
    monthly = []
    for first_day, last_day in months_between(world.first_day, LAST_DAY):
        window = Window(first_day, last_day, AS_OF)
        _view(database, read_set(world.gyms, window, files))
        slots = pl.concat(
            hours(zone, first_day, last_day).with_columns(pl.lit(zone).alias("zone"))
            for zone in sorted({gym.time_zone for gym in world.gyms})
        )
        _load(database, "slots", slots)
        monthly.append(
            _result(
                database,
                """WITH spans AS (SELECT zone, min(starts_at) AS b, max(ends_at) AS e FROM slots GROUP BY zone),
                stays AS (SELECT gym_id, greatest(entered_at, b) AS f, least(coalesce(left_at, e), e) AS t
                  FROM visits JOIN gyms USING (gym_id) JOIN spans USING (zone) WHERE entered_at < e
                  AND coalesce(left_at, e) > b),
                marks AS (SELECT gym_id, starts_at AS moment FROM gyms JOIN slots USING (zone)
                  UNION ALL SELECT gym_id, e FROM gyms JOIN spans USING (zone)),
                changes AS (SELECT gym_id, f AS moment, 1 AS d, NULL AS mark FROM stays WHERE f < t
                  UNION ALL SELECT gym_id, t, -1, NULL FROM stays WHERE f < t
                  UNION ALL SELECT gym_id, moment, 0, moment FROM marks),
                levels AS (SELECT gym_id, sum(d) OVER w AS inside, max(mark) OVER w AS starts_at,
                  epoch_us(lead(moment) OVER (PARTITION BY gym_id ORDER BY moment)) - epoch_us(moment) AS lasts
                  FROM changes WINDOW w AS (PARTITION BY gym_id ORDER BY moment))
                SELECT gym_id, starts_at, sum(inside * lasts)::BIGINT AS inside_us, max(inside)::INT AS max_inside,
                  sum(CASE WHEN inside * 5 > capacity * 4 THEN lasts ELSE 0 END)::BIGINT AS busy_us,
                  sum(CASE WHEN inside >= capacity THEN lasts ELSE 0 END)::BIGINT AS full_us,
                  any_value(day) AS day, any_value(hour) AS hour,
                  any_value(epoch_us(ends_at) - epoch_us(slots.starts_at)) AS length_us
                FROM levels JOIN gyms USING (gym_id) JOIN slots USING (zone, starts_at) WHERE lasts > 0
                GROUP BY gym_id, starts_at""",
            )
        )
    _load(database, "gym_hours", pl.concat(monthly))
    return _result(
        database,
        """SELECT gym_id, isodow(day) - 1 AS weekday, hour, sum(inside_us) / sum(length_us) AS mean_inside,
        quantile_disc(inside_us / length_us, 0.9) AS p90_inside, sum(busy_us) / sum(length_us) AS busy_share,
        sum(full_us) / sum(length_us) AS full_share, max(max_inside) AS people FROM gym_hours GROUP BY ALL""",
    )


def _dwell_by_duckdb(database: duckdb.DuckDBPyConnection) -> Frames:
    database.execute(
        """CREATE TEMP TABLE stays AS SELECT gym_id, member_key, inferred IS NOT NULL AS inferred,
        ((epoch_us(left_at) - epoch_us(entered_at)) // 60000000)::INT AS minutes FROM visits
        WHERE left_at IS NOT NULL"""
    )
    summary = _result(
        database,
        """SELECT gym_id, inferred, count(*) AS visits, quantile_disc(minutes, 0.5) AS median_minutes,
        quantile_disc(minutes, 0.9) AS p90_minutes, count(DISTINCT member_key) AS people FROM stays GROUP BY ALL""",
    )
    distribution = _result(
        database,
        """SELECT gym_id, inferred, least(minutes // 15, 16) * 15 AS from_minutes, count(*) AS visits,
        count(DISTINCT member_key) AS people FROM stays GROUP BY ALL""",
    )
    return {"summary": summary, "distribution": distribution}


def _members_by_duckdb(database: duckdb.DuckDBPyConnection) -> Frames:
    database.execute(
        """CREATE TEMP TABLE months AS SELECT member_key, date_trunc('month', day) AS month, count(*) AS visits,
        min(day) AS first_day, max(day) AS last_day FROM (SELECT member_key, timezone(zone, entered_at)::DATE AS day
        FROM visits JOIN gyms USING (gym_id) WHERE member_key IS NOT NULL) GROUP BY ALL"""
    )
    recent_from = date(2026, 6, 1)
    database.execute(
        f"""CREATE TEMP TABLE members AS WITH recent AS (SELECT member_key,
        (max(last_day) - min(first_day)) / (sum(visits) - 1) AS rhythm_days FROM months
        WHERE month >= DATE '{recent_from}' GROUP BY member_key HAVING sum(visits) >= 6)
        SELECT member_key, sum(visits)::BIGINT AS visits, min(first_day) AS first_day, max(last_day) AS last_day,
        any_value(rhythm_days) AS rhythm_days, coalesce(DATE '{LAST_DAY}' - max(last_day) > 3 * any_value(rhythm_days)
        AND DATE '{LAST_DAY}' - max(last_day) >= 14, FALSE) AS broken_rhythm
        FROM months LEFT JOIN recent USING (member_key) GROUP BY member_key"""
    )
    cohorts = _result(
        database,
        """WITH of AS (SELECT member_key, date_trunc('month', first_day) AS cohort FROM members),
        sizes AS (SELECT cohort, count(*) AS members FROM of GROUP BY cohort)
        SELECT cohort, month, any_value(members) AS members, count(*) AS active, count(*) / any_value(members)
        AS active_share FROM months JOIN of USING (member_key) JOIN sizes USING (cohort) GROUP BY ALL""",
    )
    return {"members": _result(database, "SELECT * FROM members"), "cohorts": cohorts}


def check_same(ours: Frames, theirs: Frames) -> None:
    """Compare the figures that are not hidden."""
    for name, frame in ours.items():
        shown = frame.filter(~pl.col("hidden")).drop("hidden") if "hidden" in frame.columns else frame
        keys = [column for column in shown.columns if column in _KEYS]
        schema = {column: pl.Date if kind == pl.Date else pl.Float64 if kind.is_numeric() and column != "member_key"
                  else kind for column, kind in shown.schema.items()}  # fmt: skip
        other = theirs[name].select(shown.columns).cast(schema)  # type: ignore[arg-type]
        one = shown.cast(schema).sort(keys)  # type: ignore[arg-type]
        assert_frame_equal(one, other.join(one.select(keys), on=keys, how="semi").sort(keys), check_exact=False)
        hidden = frame.height - shown.height
        if other.height != one.height + hidden:
            raise AssertionError(f"{name}: {one.height} rows shown and {hidden} hidden, but {other.height} in all")


_KEYS: Final = {"gym_id", "weekday", "hour", "inferred", "from_minutes", "member_key", "cohort", "month"}


def _measured(begin: float, cpu: float, frames: Frames) -> Measured:
    # `getrusage` would include the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak_mib = int(status["VmHWM"].split()[0]) // 1024
    return Measured(time.monotonic() - begin, time.process_time() - cpu, peak_mib, frames)


def in_own_process(threads: int, work: Callable[..., Measured], *arguments: object) -> Measured:
    """Run something in a new process whose Polars has so many threads."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work, arguments))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    if isinstance(result, BaseException):
        raise result
    found: Measured = result
    return found


def _send(sender: Connection, work: Callable[..., Measured], arguments: Sequence[object]) -> None:
    try:
        sender.send(work(*arguments))
    except BaseException as error:  # noqa: BLE001 - raised again by the other process
        sender.send(RuntimeError(f"{type(error).__name__}: {error}"))


def main(visits: int = 50_000_000, gyms: int = 200, days: int = 731) -> None:
    """Measure, and print a table for each number of threads."""
    folder = Path(tempfile.mkdtemp(prefix="attendance-"))
    try:
        first_day = LAST_DAY - timedelta(days=days - 1)
        world = World(str(folder / "archive"), tuple(generated_gyms(gyms, visits, days)), first_day)
        Path(world.archive).mkdir()
        begin = time.monotonic()
        write_archive(world.archive, world.gyms, visits, first_day, days)
        files = table_files(world.archive, VISITS)
        size = sum(path.stat().st_size for path in Path(world.archive).rglob("*.parquet"))
        _print(f"archive: {sum(day.rows for day in files.days.values()):,} rows in {len(files.days)} days, "
               f"{size / 1e9:.2f} GB, written in {time.monotonic() - begin:.0f} s")  # fmt: skip
        for workers in (2, 1):
            _measure(world, workers, folder)
    finally:
        shutil.rmtree(folder)


def _measure(world: World, workers: int, folder: Path) -> None:
    found: dict[tuple[str, Report], Measured] = {}
    for report in REPORTS:
        found["DuckDB", report] = in_own_process(workers, by_duckdb, world, report, workers)
        found["Polars", report] = in_own_process(workers, by_polars, world, report)
        check_same(found["Polars", report].frames, found["DuckDB", report].frames)
    started = time.monotonic()
    ray.init(
        num_cpus=max(2, workers),  # idle workers are ended where there are more of them
        resources={"batch": workers},
        include_dashboard=False,
        object_store_memory=75 * _MIB,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    _print(f"Ray itself started in {time.monotonic() - started:.1f} s")
    try:
        # The first workers are started by the first tasks.
        for run in ("with start", "Ray tasks"):
            for report in REPORTS:
                if run == "with start" and report is not REPORTS[0]:
                    continue
                facts = folder / f"facts-{workers}-{run.replace(' ', '-')}-{report}"
                found[run, report] = by_ray(world, report, facts)
                check_same(found[run, report].frames, found["Polars", report].frames)
        _increment(world, workers, folder)
    finally:
        ray.shutdown()
    _print(f"\n{workers} threads or workers\n| report | engine | s | CPU s | peak MiB | ÷ faster |")
    _print("|---|---|---|---|---|---|")
    for report in REPORTS:
        faster = min(found[engine, report].seconds for engine in ("DuckDB", "Polars"))
        for engine in ("DuckDB", "Polars", "Ray tasks", "with start"):
            if (engine, report) in found:
                one = found[engine, report]
                ratio = one.seconds / faster
                _print(f"| {report} | {engine} | {one.seconds:.1f} | {one.cpu_s:.1f} | {one.peak_mib} | {ratio:.2f} |")


def _increment(world: World, workers: int, folder: Path) -> None:
    """A correction of one old day: all facts that the three reports need, planned and computed again."""
    day = sorted(table_files(world.archive, VISITS).days)[len(table_files(world.archive, VISITS).days) // 2]
    row = pl.read_parquet(table_files(world.archive, VISITS).days[day].paths[0]).head(1)
    changed = row.with_columns(
        source=pl.lit(1, dtype=pl.Int64), annulled=pl.lit(value=True), event_id=pl.lit(f"annulled-{workers}")
    )
    write_deltalake(VISITS.url(world.archive), VISITS.with_day(changed), mode="append")
    for report in REPORTS:
        store = FigureStore(str(folder / f"facts-{workers}-Ray-tasks-{report}"))
        request = FigureRequest(world.archive, store, FIGURES_OF[report], world.gyms, world.first_day, LAST_DAY, AS_OF)
        begin = time.monotonic()
        plan = make_plan(request)
        planned = time.monotonic()
        run_plan(plan, niceness=os.nice(0))
        _print(
            f"increment of a day, {report}: {len(plan.groups)} tasks, planned in {planned - begin:.2f} s, "
            f"computed in {time.monotonic() - planned:.2f} s"
        )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
