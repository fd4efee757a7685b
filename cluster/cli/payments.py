"""`fitmonitor payments`: the provider against the ledger, the ledger against itself, the end of a day."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cluster.cli.database import opened, reading
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from domain.clock import system_clock
from domain.memberships.ledger_check import check_ledger
from domain.money import Money
from domain.payments.desk_payments import end_of_day
from domain.payments.ports import PaymentRefusedError, PaymentsUnavailableError
from domain.payments.reconciliation import Reconciliation
from integrations.settings import Settings
from integrations.stripe.provider import StripePayments

app = typer.Typer(no_args_is_help=True, help="Reconcile with Stripe, prove the ledger, end a day at the desks.")

DISAGREE = 3
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def reconcile(
    days: Annotated[
        float | None,
        typer.Option(
            help="Look at Stripe's events of so many days; by default since the latest received.", min=0, max=29
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare Stripe with the ledger, make up for missed webhooks, and report what somebody has to look at.

    Safe at any time, and beside the one that runs by itself. What fails by itself is counted and holds up nothing else.
    Ends with 3 if something is left to look at, or has failed.

    Example: fitmonitor payments reconcile --days 7
    """
    settings = stack_settings()
    since = None if days is None else system_clock() - timedelta(days=days)

    def said(line: str) -> None:
        typer.echo(line, err=True)

    with opened(settings) as store, _provider(settings) as provider:
        done = Reconciliation(store, provider, system_clock, said).run(since=since)
    if as_json:
        print_json(asdict(done))
    else:
        print_plain(f"{done.events_missed} events had been missed, {done.orders_checked} open orders were asked about.")
        print_plain(f"{len(done.mended)} orders were brought up to date, {done.refunds_asked} refunds asked for.")
        for session_id in done.unknown:
            print_plain(f"paid at Stripe, of no order of ours: {session_id}")
        for order_id, why in done.problems.items():
            print_plain(f"order {order_id}: {why}")
        if done.failures:
            print_plain(f"{done.failures} events, orders or refunds could not be dealt with: the lines above say why.")
    if done.unknown or done.problems or done.failures:
        raise typer.Exit(DISAGREE)


@app.command()
def check(*, as_json: AsJson = False) -> None:
    """Prove that memberships are what their ledgers add up to. Nothing is mended; ends with 3 if they are not.

    Example: fitmonitor payments check --json
    """
    with reading(stack_settings()) as connection:
        found = list(check_ledger(connection))
    if as_json:
        print_json([asdict(each) for each in found])
    elif not found:
        print_plain("Memberships, orders and the ledger agree.")
    else:
        for each in found:
            print_plain(f"{each.about}  {each.what}")
    if found:
        raise typer.Exit(DISAGREE)


@app.command()
def report(
    day: Annotated[str, typer.Argument(help="As in 2026-03-01; by default today.", show_default=False)] = "",
    time_zone: Annotated[str, typer.Option(help="Whose day.")] = "UTC",
    *,
    as_json: AsJson = False,
) -> None:
    """Show what each of the staff took and gave back at the desks on one day, by method.

    Example: fitmonitor payments report 2026-03-01 --time-zone Europe/Berlin
    """
    with reading(stack_settings()) as connection:
        takings = end_of_day(connection, _noon(day), time_zone)
    if as_json:
        print_json([{**asdict(each), "kept": each.kept} for each in takings])
        return
    if not takings:
        print_plain("Nothing was taken at the desks.")
    for each in takings:
        taken, back, kept = (Money(value, each.currency) for value in (each.taken, each.given_back, each.kept))
        print_plain(f"{each.by_id}  {each.method:<13}  {each.sales:>3} sales  {taken} - {back} = {kept}")


@contextmanager
def _provider(settings: Settings) -> Iterator[StripePayments]:
    if not settings.stripe.api_key.get_secret_value():
        raise CommandError("no key of Stripe's is set", "set FITMONITOR_STRIPE__API_KEY, or start the stack")
    try:
        yield StripePayments(settings.stripe)
    except (PaymentsUnavailableError, PaymentRefusedError) as error:
        raise CommandError(str(error), "is the stack up, and the key good? Then try again") from error


def _noon(day: str) -> datetime:
    if not day:
        return system_clock()
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(hour=12, tzinfo=UTC)
    except ValueError as error:
        raise CommandError(f"{day} is no day", "write it as in 2026-03-01") from error
