"""Writes docs/commands.md: every command of the command line, from the tree that Typer reads.

Run `python -m cluster.cli.commands_page > docs/commands.md`.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from cluster.cli.main import COMMANDS, application

_HEAD = """# Commands

Every command of `fitmonitor`. `fitmonitor COMMAND --help` shows the same, `fitmonitor --install-completion` lets bash, zsh and fish
complete commands and options. `--json` is for programs; `--verbose`, before or after a command, shows the traceback of a failure.

## What a command ends with

| code | means |
|---|---|
| 0 | done |
| 1 | it failed, or was refused; one line on standard error says why, and what mends it |
| 2 | wrong use: a word or option that does not exist, a name that several have, or something to confirm and nobody to ask |
| 3 | the command worked, and found what somebody has to look at: a disagreement, a refused scan, too many that wait |
| 4 | what was named is not there; of `scan`: no answer came in time |
| 130 | Ctrl-C |

## Which installation, and as whom

The commands that manage a gym (`gym`, `gate`, `device`, `machine`, `member`, `user`, `role`, `plan`, `order`, `invoice`) ask the HTTP API, so
that rights, refusals, versions and the history of who did what are the same as everywhere.

| variable | says |
|---|---|
| `FITMONITOR_URL` | where, as in `https://gym.example.org`; without it the stack of `FITMONITOR_DATA_DIR` |
| `FITMONITOR_TOKEN` | as whom: an access token. Needed with `FITMONITOR_URL` |
| `FITMONITOR_AS` | as whom at a stack of this machine: a mail address, the same as `--as EMAIL`. Without either the first admin of the stack |

At a stack of this machine each command begins a session of a few minutes, and ends it.

- **Names.** A gym or a plan is its id or its name; a gate, device or machine its id or `GYM/NAME`; a member or user an address, an id, or
  a whole name that nobody else has. A name that several have is refused with all of them.
- **Money and destruction** ask first. `--yes` says so beforehand; where nobody can be asked and it is missing, nothing is done.
- **A lost answer.** What makes something or moves money has a key of its own for each run, and is asked again by itself. If no answer comes at
  all, the error tells the key: the same command with `--key KEY` does it once, however often it is repeated.
- **Versions.** A change names the version that the command has read a moment before. `--version N` names the one that you have read: if
  somebody else was first, it is refused.
"""  # noqa: E501 - a row of a table is one line

_WIDTH = 100  # of a line of usage, whatever terminal this runs in


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as it is typed.

    Args:
        words: behind `fitmonitor`, as in `gym list`.
        node: Typer's own of it.
        context: to ask it about itself.
    """

    words: str
    node: Any
    context: Any

    @property
    def is_group(self) -> bool:
        """Whether further words follow."""
        return hasattr(self.node, "commands")

    @property
    def help(self) -> str:
        """Its help without what is only for the code."""
        return inspect.cleandoc(self.node.help or "").partition("\f")[0].strip()

    @property
    def examples(self) -> list[str]:
        """The lines of its example."""
        _, marked, example = self.help.rpartition("Example: ")
        return [" ".join(example.split())] if marked else []

    @property
    def about(self) -> str:
        """Its help without the example, a line for each paragraph."""
        text = self.help.rpartition("Example: ")[0] or ("" if self.examples else self.help)
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))

    @property
    def parameters(self) -> list[Any]:
        """Arguments, then options, but for --help."""
        shown = [each for each in self.node.params if each.name != "help" and not getattr(each, "hidden", False)]
        return sorted(shown, key=lambda each: bool(each.param_type_name == "option"))


def commands() -> Iterator[Command]:
    """Every command and group, in the order of the command line; loads all modules."""
    for entry in COMMANDS:
        root = typer.main.get_command(application(entry.name))
        context = root.make_context(
            "fitmonitor", [], resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
        )
        node = root.commands[entry.name]  # type: ignore[attr-defined] # a group
        yield from _walk(entry.name, node, context)


def page() -> str:
    """The whole file."""
    return _HEAD + "".join(_section(command) for command in commands())


def _walk(words: str, node: Any, parent: Any) -> Iterator[Command]:  # noqa: ANN401 - Typer's own
    context = node.make_context(words.rpartition(" ")[2], [], parent=parent, resilient_parsing=True)
    command = Command(words, node, context)
    yield command
    if command.is_group:
        for name, child in node.commands.items():
            yield from _walk(f"{words} {name}", child, context)


def _section(command: Command) -> str:
    level = "#" * min(2 + command.words.count(" "), 4)
    lines = [f"\n{level} fitmonitor {command.words}\n", f"\n{command.about}\n"]
    if not command.is_group or command.node.invoke_without_command:
        lines.append(f"\n```text\n{command.node.get_usage(command.context).removeprefix('Usage: ').strip()}\n```\n")
    if command.parameters:
        rows = [_row(each, command.context) for each in command.parameters]
        lines.append("\n| | |\n|---|---|\n" + "".join(rows))
    lines += [f"\n```text\n{example}\n```\n" for example in command.examples]
    return "".join(lines)


def _row(parameter: Any, context: Any) -> str:  # noqa: ANN401 - Typer's own
    names, told = parameter.get_help_record(context) or (parameter.name, "")
    names, told = " ".join(names.split()), " ".join(told.split())
    cells = (f"`{names}`", told)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
