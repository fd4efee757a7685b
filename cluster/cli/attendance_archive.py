"""`fitmonitor attendance backfill` and `verify`: the attendance archive and the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.backup.progress import progress_bar
from cluster.cli.database import opened
from cluster.cli.output import Columns, print_list, print_plain, print_result
from cluster.errors import CommandError, ExitCode
from cluster.settings_file import stack_settings
from domain.attendance.facts import FactTable
from domain.clock import system_clock
from domain.unit_of_work import Store
from integrations.settings import ArchiveSettings

if TYPE_CHECKING:
    from integrations.archive.delta_table import DeltaStore

_COLUMNS: Columns = {
    "table": "table",
    "day": lambda result: result.day.isoformat(),
    "facts": "facts",
    "missing": "missing",
    "surplus": "surplus",
    "different": "different",
    "rewritten": "rewritten",
}

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day in UTC, as in 2026-03-01.", show_default=False)
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="DATE", help="Last day in UTC. Default: yesterday.", show_default=False)
]


def add_archive_commands(app: typer.Typer) -> None:
    """Register the commands of the archive in the group `attendance`."""
    app.command("backfill")(backfill)
    app.command("verify")(verify)


def backfill(
    *,
    first: FromOption = None,
    until: UntilOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Begin at the first day, also where an earlier backfill was there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the number of facts as JSON.")] = False,
) -> None:
    """Fill the archive from the database, for what is older than the archive or than Kafka's retention.

    An interrupted backfill continues where it stopped. Nothing is counted twice, even if days are filled that the
    archive has already. The days are those on which the database learned the facts.

    Example: fitmonitor attendance backfill --until 2026-02-28
    """
    last = _day(until, "--until") or _yesterday()
    with _opened() as (store, archive):
        # Imported here: Delta Lake and Polars take a second.
        from integrations.archive.backfill import Backfill  # noqa: PLC0415

        work = Backfill(store, archive)
        start = _day(first, "--from") or work.first_day() or last
        begins: dict[FactTable, date] = {}
        for table in FactTable:
            done = None if again else work.done_until(table)
            begins[table] = start if done is None else max(start, done + timedelta(days=1))
        total = sum(work.count(table, begin, last) for table, begin in begins.items())
        with progress_bar("backfill", total) as progress:
            written = {table.value: work.run(table, begin, last, progress) for table, begin in begins.items()}
    facts = sum(written.values())
    message = f"{facts} facts are in the archive now, of the days until {last}."
    print_result({"until": last.isoformat(), "facts": written}, message, as_json=as_json)


def verify(
    *,
    first: FromOption = None,
    until: UntilOption = None,
    rewrite: Annotated[bool, typer.Option("--rewrite/--no-rewrite", help="Rewrite days that differ.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the days that differ as a JSON list.")] = False,
) -> None:
    """Compare closed days of the archive with the database, and rewrite those that differ.

    Without dates it takes the days that have changed since they were verified, as the nightly job does. Exit code 3:
    days differ and were not rewritten.

    Example: fitmonitor attendance verify --from 2026-03-01 --no-rewrite
    """
    last = _day(until, "--until") or _yesterday()
    begin = _day(first, "--from")
    with _opened() as (store, archive):
        from integrations.archive.verification import Verification  # noqa: PLC0415 - as above

        work = Verification(store, archive)
        if begin is None and until is None:
            days = work.changed_days(last + timedelta(days=1))
        else:
            begin = begin or last
            numbers = range(begin.toordinal(), last.toordinal() + 1)
            days = [(table, date.fromordinal(number)) for number in numbers for table in FactTable]
        differing = []
        with progress_bar("verify", len(days)) as progress:
            for table, day in days:
                result = work.verify(table, day, rewrite=rewrite)
                progress(f"{day} {table.value}", 1)
                if not result.agrees:
                    differing.append(result)
    if differing or as_json:
        rows = [{**asdict(result), "table": result.table.value} for result in differing] if as_json else differing
        print_list(rows, _COLUMNS, as_json=as_json)
    else:
        print_plain(f"{len(days)} days of tables agree with the database.")
    if differing and not rewrite:
        raise typer.Exit(ExitCode.ATTENTION)


@contextmanager
def _opened() -> Iterator[tuple[Store, "DeltaStore"]]:
    """The database and the archive of the stack.

    Raises:
        CommandError: there is no archive, or its storage does not respond.
    """
    settings = stack_settings()
    from integrations.archive.delta_table import ArchiveUnavailableError, DeltaStore  # noqa: PLC0415 - as above

    with opened(settings) as store:
        try:
            yield store, DeltaStore(_configured(settings.archive))
        except ArchiveUnavailableError as error:
            raise CommandError(f"the archive is unavailable: {error}", "check FITMONITOR_ARCHIVE__URL") from error


def _configured(settings: ArchiveSettings) -> ArchiveSettings:
    if not settings.url:
        raise CommandError(
            "this stack has no attendance archive",
            "start the stack with `fitmonitor up`, or set FITMONITOR_ARCHIVE__URL",
        )
    return settings


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{option}: {text!r} is not a date", "write it as in 2026-03-01") from error


def _yesterday() -> date:
    return system_clock().date() - timedelta(days=1)
