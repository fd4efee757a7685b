"""`fitmonitor payments`: compares Stripe with the ledger, checks the ledger, reports a day's desk payments."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from sqlalchemy import Connection

from cluster.cli.database import opened, reading
from cluster.cli.output import print_json, print_list, print_plain
from cluster.errors import CommandError, ExitCode
from cluster.settings_file import stack_settings
from domain.clock import system_clock
from domain.identity.repository import UserRepository
from domain.memberships.ledger_check import check_ledger
from domain.money import Money
from domain.payments.desk_payments import end_of_day
from domain.payments.ports import PaymentRefusedError, PaymentsUnavailableError
from domain.payments.reconciliation import Reconciliation
from integrations.settings import Settings
from integrations.stripe.provider import StripePayments

app = typer.Typer(
    no_args_is_help=True, help="Reconcile orders with Stripe, check the ledger, report a day's desk payments."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def reconcile(
    days: Annotated[
        float | None,
        typer.Option(
            help="Read Stripe's events of the last so many days (default: since the last event received).",
            min=0,
            max=29,
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare Stripe with the ledger, process missed webhooks, and report what needs attention.

    It is safe at any time, also while the automatic reconciliation runs. One failure does not stop the rest. Exit code
    3: something needs attention.

    Example: fitmonitor payments reconcile --days 7
    """
    settings = stack_settings()
    since = None if days is None else system_clock() - timedelta(days=days)

    def log(line: str) -> None:
        typer.echo(line, err=True)

    with opened(settings) as store, _stripe(settings) as provider:
        done = Reconciliation(store, provider, system_clock, log).run(since=since)
    if as_json:
        print_json(asdict(done))
    else:
        print_plain(f"{done.events_missed} missed events processed, {done.orders_checked} open orders checked.")
        print_plain(f"{len(done.mended)} orders updated, {done.refunds_asked} refunds requested.")
        for session_id in done.unknown:
            print_plain(f"paid at Stripe, but not an order of this system: {session_id}")
        for order_id, why in done.problems.items():
            print_plain(f"order {order_id}: {why}")
        if done.failures:
            print_plain(f"{done.failures} events, orders or refunds failed: see the lines above.")
    if done.unknown or done.problems or done.failures:
        raise typer.Exit(ExitCode.ATTENTION)


@app.command()
def check(*, as_json: AsJson = False) -> None:
    """Check that memberships and orders agree with their ledger. It changes nothing. Exit code 3: they disagree.

    Example: fitmonitor payments check --json
    """
    with reading(stack_settings()) as connection:
        found = list(check_ledger(connection))
    if found or as_json:
        print_list([asdict(each) for each in found], {"id": "about", "problem": "what"}, as_json=as_json)
    else:
        print_plain("Memberships, orders and the ledger agree.")
    if found:
        raise typer.Exit(ExitCode.ATTENTION)


@app.command()
def report(
    day: Annotated[str, typer.Argument(help="The day, like 2026-03-01 (default: today).", show_default=False)] = "",
    time_zone: Annotated[str, typer.Option(help="The time zone that the day is in.")] = "UTC",
    *,
    as_json: AsJson = False,
) -> None:
    """Report what each member of staff took and refunded at the desks on one day, by payment method.

    Example: fitmonitor payments report 2026-03-01 --time-zone Europe/Berlin
    """
    with reading(stack_settings()) as connection:
        takings = end_of_day(connection, _noon(day, time_zone), time_zone)
        names = _names(connection, {each.by_id for each in takings})
    rows = [{**asdict(each), "kept": each.kept, "by_name": names.get(each.by_id)} for each in takings]
    if not (rows or as_json):
        print_plain("There were no desk payments.")
        return
    print_list(
        rows,
        {
            "cashier": lambda row: row["by_name"] or row["by_id"],
            "method": "method",
            "sales": "sales",
            "taken": lambda row: str(Money(row["taken"], row["currency"])),
            "refunded": lambda row: str(Money(row["given_back"], row["currency"])),
            "kept": lambda row: str(Money(row["kept"], row["currency"])),
        },
        as_json=as_json,
    )


def _names(connection: Connection, user_ids: set[UUID]) -> dict[UUID, str]:
    """The names of users by their ids; a name that does not tell who it is has the email address or the id with it."""
    users = [user for user_id in user_ids if (user := UserRepository(connection).user(user_id)) is not None]
    names = [user.name for user in users]
    return {
        user.id: user.name if names.count(user.name) == 1 and user.email else f"{user.name} ({user.email or user.id})"
        for user in users
    }


@contextmanager
def _stripe(settings: Settings) -> Iterator[StripePayments]:
    if not settings.stripe.api_key.get_secret_value():
        raise CommandError("the key of Stripe's API is missing", "set FITMONITOR_STRIPE__API_KEY, or start the stack")
    try:
        yield StripePayments(settings.stripe)
    except (PaymentsUnavailableError, PaymentRefusedError) as error:
        raise CommandError(str(error), "check that the stack runs and that the key is valid, then try again") from error


def _noon(day: str, time_zone: str) -> datetime:
    """A moment of the day in the time zone; now where no day is named."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CommandError(f"{time_zone} is not a time zone", "write it like Europe/Berlin") from error
    if not day:
        return system_clock()
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(hour=12, tzinfo=zone)
    except ValueError as error:
        raise CommandError(f"{day} is not a day", "write it like 2026-03-01") from error
