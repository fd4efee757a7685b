"""The command `fitmonitor`: finds the module of a command and says in one line why something failed."""

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer
from pydantic import ValidationError

from cluster.cli.output import shown
from cluster.errors import CommandError
from cluster.signals import end_on_signals


@dataclass(frozen=True, slots=True)
class Entry:
    """One command.

    Args:
        name: what is typed.
        where: `module:name` of a function, or of a `typer.Typer` for a group of commands.
        help: its line in the list of commands; its own help is its docstring.
    """

    name: str
    where: str
    help: str


COMMANDS: Sequence[Entry] = (
    Entry("up", "cluster.cli.up:up", "Start the system on this machine and keep it up until Ctrl-C."),
    Entry("down", "cluster.cli.down:down", "Stop the system; also what was left behind by a killed one."),
    Entry("status", "cluster.cli.status:status", "Show each part's health, what waits, and who is inside."),
    Entry("doctor", "cluster.cli.doctor:doctor", "Say what this machine lacks, and the command that mends it."),
    Entry("migrate", "cluster.cli.migrate:migrate", "Bring the database up to date."),
    Entry("backup", "cluster.cli.backup:backup", "Write all that this stack keeps into one file, while scans go on."),
    Entry("restore", "cluster.cli.restore:restore", "Fill an empty stack from such a file."),
    Entry("token", "cluster.cli.token:token", "Print an access token for a user of this stack."),
    Entry("admin", "cluster.cli.admin:app", "Make the first admin."),
    Entry("gym", "cluster.cli.gyms:app", "Gyms: their data, opening hours, who is inside."),
    Entry("gate", "cluster.cli.gates:app", "Gates of a gym: the doors that scans are made at."),
    Entry("device", "cluster.cli.devices:app", "Devices at the gates: pair them, withdraw them."),
    Entry("machine", "cluster.cli.machines:app", "Machines of a gym, their pictures and labels."),
    Entry("member", "cluster.cli.members:app", "Members: their membership, freezes, ban, visits."),
    Entry("user", "cluster.cli.users:app", "Accounts: find, disable, delete."),
    Entry("role", "cluster.cli.roles:app", "Who is staff, who is admin."),
    Entry("plan", "cluster.cli.plans:app", "Plans that can be bought."),
    Entry("order", "cluster.cli.orders:app", "Orders: look at one, take money at the desk, give it back."),
    Entry("invoice", "cluster.cli.invoices:app", "Invoices, also as PDF."),
    Entry("payments", "cluster.cli.payments:app", "Reconcile with Stripe, prove the ledger, end a day at the desks."),
    Entry("pass", "cluster.cli.passes:app", "Show a member's pass; rotate the signing keys."),
    Entry("scan", "cluster.cli.scan:scan", "Scan a pass at a gate of the running stack."),
    Entry("reconcile", "cluster.cli.reconcile:reconcile", "Hold visits, open visits and scans against each other."),
    Entry("images", "cluster.cli.images:app", "Take away pictures that nobody shows any more."),
    Entry("kafka", "cluster.cli.kafka:app", "Show how far the consumers are; list, show and replay dead letters."),
    Entry("demo", "cluster.cli.demo:app", "Play a gym's peak hour against the running stack."),
    Entry("bench", "cluster.cli.bench:bench", "Measure how fast the running stack answers scans."),
)


_COMPLETING = "_FITMONITOR_COMPLETE"  # set by the shells' scripts, with the words typed so far beside it


def main() -> None:
    """Run the command named in the arguments; exit 0, 1 for a failure, 2 for a wrong use, or as the command says."""
    end_on_signals()
    arguments = sys.argv[1:]
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    words = _words_typed() if _COMPLETING in os.environ else arguments
    wanted = next((word for word in words if not word.startswith("-")), None)
    try:
        # A wrong use is reported by Typer itself, with exit code 2.
        application(wanted)(arguments, prog_name="fitmonitor")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last resort of a command
        if verbose:
            traceback.print_exc()
        else:
            sys.stderr.write(f"fitmonitor: {shown(_line(error))}\n")
        sys.exit(getattr(error, "exit_code", 1))


def application(wanted: str | None) -> typer.Typer:
    """All commands by name and help, of which only the wanted one is loaded: Ray takes a second to import."""
    made = typer.Typer(
        help="The system a gym runs on.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    made.callback()(_root)
    for entry in COMMANDS:
        if entry.name != wanted:
            made.command(entry.name, help=entry.help)(_not_loaded)
            continue
        module, name = entry.where.split(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=entry.name)
        else:
            made.command(entry.name)(found)
    return made


def _words_typed() -> Sequence[str]:
    """What stands behind the command's own name on the line that a shell completes: bash tells it so, others so."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def _root(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Before or after a command: show the traceback of a failure.")
    ] = False,
) -> None:
    """Stand before every command."""


def _not_loaded() -> None:
    """Stand for what is not loaded."""


def _line(error: Exception) -> str:
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors())
    first = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {first} (fitmonitor --verbose … shows where)"


if __name__ == "__main__":
    main()
