"""The command `fitmonitor`: loads the module of one command, and prints an error as one line."""

import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cluster.cli.output import printable
from cluster.errors import CommandError, ExitCode
from cluster.signals import end_on_signals


class Panel(StrEnum):
    """The groups of `fitmonitor --help`."""

    RUN = "Run"
    MANAGE = "Manage"
    OPERATE = "Operate"
    MEASURE = "Measure"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command.

    Args:
        name: as it is typed.
        where: `module:name` of a function, or of a `typer.Typer` for a group of commands.
        panel: where `fitmonitor --help` lists it.
        help: its line there; its own help is its docstring.
    """

    name: str
    where: str
    panel: Panel
    help: str


COMMANDS: Sequence[Entry] = (
    Entry("up", "cluster.cli.up:up", Panel.RUN, "Start the stack on this machine and keep it running until Ctrl-C."),
    Entry("down", "cluster.cli.down:down", Panel.RUN, "Stop the stack, also the remains of a killed one."),
    Entry("status", "cluster.cli.status:status", Panel.RUN, "Show each service's health, Kafka lag and who is inside."),
    Entry("doctor", "cluster.cli.doctor:doctor", Panel.RUN, "Check what this machine lacks, and how to fix it."),
    Entry("admin", "cluster.cli.admin:app", Panel.MANAGE, "Create the first admin."),
    Entry("gym", "cluster.cli.gyms:app", Panel.MANAGE, "Gyms: their data, opening hours, who is inside."),
    Entry("gate", "cluster.cli.gates:app", Panel.MANAGE, "Gates of a gym: the doors where members scan their passes."),
    Entry("device", "cluster.cli.devices:app", Panel.MANAGE, "Devices at the gates: pair, list and revoke them."),
    Entry("machine", "cluster.cli.machines:app", Panel.MANAGE, "Machines of a gym, their pictures and labels."),
    Entry("member", "cluster.cli.members:app", Panel.MANAGE, "Members: their memberships, freezes, bans and visits."),
    Entry("user", "cluster.cli.users:app", Panel.MANAGE, "User accounts: find, disable, enable and delete them."),
    Entry("role", "cluster.cli.roles:app", Panel.MANAGE, "Roles: who is staff, who is admin."),
    Entry("plan", "cluster.cli.plans:app", Panel.MANAGE, "Plans: what members can buy."),
    Entry(
        "order", "cluster.cli.orders:app", Panel.MANAGE, "Orders: show them, take payments at the desk, refund them."
    ),
    Entry("invoice", "cluster.cli.invoices:app", Panel.MANAGE, "Invoices and credit notes, also as PDF."),
    Entry("pass", "cluster.cli.passes:app", Panel.MANAGE, "Show a member's pass; rotate the signing keys."),
    Entry("scan", "cluster.cli.scan:scan", Panel.MANAGE, "Scan a pass at a gate of the running stack."),
    Entry("migrate", "cluster.cli.migrate:migrate", Panel.OPERATE, "Bring the database schema up to date."),
    Entry("backup", "cluster.cli.backup:backup", Panel.OPERATE, "Write a backup of the stack, running or stopped."),
    Entry("restore", "cluster.cli.restore:restore", Panel.OPERATE, "Load a backup into an empty stack, or verify it."),
    Entry("token", "cluster.cli.token:token", Panel.OPERATE, "Print an access token for a user of this stack."),
    Entry("identity", "cluster.cli.identity:app", Panel.OPERATE, "Rotate the local keys that sign tokens."),
    Entry(
        "payments",
        "cluster.cli.payments:app",
        Panel.OPERATE,
        "Reconcile orders with Stripe, check the ledger, report a day's desk payments.",
    ),
    Entry(
        "reconcile",
        "cluster.cli.reconcile:reconcile",
        Panel.OPERATE,
        "Check that visits, open visits and scans agree.",
    ),
    Entry(
        "attendance",
        "cluster.cli.attendance:app",
        Panel.OPERATE,
        "Forecast how full gyms will be; fill and verify the attendance archive.",
    ),
    Entry("images", "cluster.cli.images:app", Panel.OPERATE, "Delete pictures that nothing shows any more."),
    Entry(
        "kafka",
        "cluster.cli.kafka:app",
        Panel.OPERATE,
        "Show the lag of the Kafka consumers; list, show and replay dead letters.",
    ),
    Entry("demo", "cluster.cli.demo:app", Panel.MEASURE, "Simulate a gym's peak hour on the running stack."),
    Entry("bench", "cluster.cli.bench:bench", Panel.MEASURE, "Measure how fast the running stack answers scans."),
)

_COMPLETION = "_FITMONITOR_COMPLETE"  # set by the shells' completion scripts, together with the words typed so far


def main() -> None:
    """Run the command of `sys.argv`, and exit: 0 success, 1 failure, 2 wrong usage, 130 Ctrl-C, or its own code."""
    end_on_signals()
    arguments = sys.argv[1:]
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    words = _completed_words() if _COMPLETION in os.environ else arguments
    name = next((word for word in words if not word.startswith("-")), None)
    try:
        # Typer itself reports wrong usage, with exit code 2.
        command = typer.main.get_command(application(name))
        _adapt_help(command)
        command(arguments, prog_name="fitmonitor")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort of a command
        if verbose:
            traceback.print_exc()
        else:
            sys.stderr.write(f"fitmonitor: {printable(_message(error))}\n")
        sys.exit(getattr(error, "exit_code", ExitCode.FAILURE))


def application(name: str | None) -> typer.Typer:
    """The command line with all commands, of which only the named one is loaded: importing Ray takes a second."""
    app = typer.Typer(
        help="FIT Monitor runs a gym: members, passes, the door, who is inside.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_root)
    for entry in COMMANDS:
        if entry.name != name:
            app.command(entry.name, help=entry.help, rich_help_panel=entry.panel)(_not_loaded)
            continue
        module, attribute = entry.where.split(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=entry.name, rich_help_panel=entry.panel)
        else:
            app.command(entry.name, rich_help_panel=entry.panel)(found)
    return app


def _adapt_help(command: Any) -> None:  # noqa: ANN401 - Typer's own
    """Let Rich wrap whole paragraphs, which are several lines in a docstring, and show no type for a flag."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for parameter in (*command.params, command.get_help_option(typer.Context(command))):
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for subcommand in getattr(command, "commands", {}).values():
        _adapt_help(subcommand)


def _completed_words() -> Sequence[str]:
    """The words after `fitmonitor` on the line that a shell completes. bash has a variable of its own for the line."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def _print_version(value: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if value:
        # Imported here: reading the installed version takes longer than the rest of this module.
        from cluster.cli.version import version_line  # noqa: PLC0415

        typer.echo(version_line())
        raise typer.Exit


def _root(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the traceback of an error. It may also follow the command.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and commit, and exit."
        ),
    ] = False,
) -> None:
    """Take the options that come before a command; `main` has handled `--verbose`."""


def _not_loaded() -> None:
    """Stand in the list for a command that is not loaded."""


def _message(error: Exception) -> str:
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors())
    first_line = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {first_line} (repeat it with --verbose for the traceback)"


if __name__ == "__main__":
    main()
