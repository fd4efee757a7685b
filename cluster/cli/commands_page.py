"""Writes docs/commands.md, the reference of all commands, from their help.

Run `python -m cluster.cli.commands_page > docs/commands.md`.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import typer

from cluster.cli.main import COMMANDS, application

_HEAD = """# Commands

All commands of `fitmonitor`. `fitmonitor COMMAND --help` prints the same, `fitmonitor --install-completion` lets bash, zsh and fish complete
commands and options. `fitmonitor --version` prints the version and the commit. `--verbose`, before or after a command, prints the traceback of an error.

## Output

On a terminal a list is a table. In a pipe or a file a row is a line of tab-separated values below a line of column titles.
Times are in your time zone (`TZ`), with its offset in the column's title. `--json` is for programs: there times are RFC 3339 in UTC.

## Exit codes

| code | meaning |
|---|---|
| 0 | success |
| 1 | failed or refused; one line on standard error says why and what to do |
| 2 | wrong usage: an unknown command or option, an ambiguous name, or a confirmation that nobody can give |
| 3 | the command found something that needs attention: a disagreement, a refused scan, too much lag |
| 4 | what you named does not exist; of `scan`: there was no answer in time |
| 130 | Ctrl-C |

## Which installation, and as which user

The commands that manage a gym (`gym`, `gate`, `device`, `machine`, `member`, `user`, `role`, `plan`, `order`, `invoice`) call the HTTP API, so
that permissions, errors, versions and the history of changes are the same as everywhere.

| variable | meaning |
|---|---|
| `FITMONITOR_URL` | the installation, like `https://gym.example.org` (default: the stack of `FITMONITOR_DATA_DIR`) |
| `FITMONITOR_TOKEN` | an access token of the user to act as; required with `FITMONITOR_URL` |
| `FITMONITOR_AS` | on a stack of this machine: the email address of the user to act as, the same as `--as EMAIL` (default: the first admin) |

On a stack of this machine each command starts a session of its own and ends it.

- **Names.** A gym or a plan is an id or a name; a gate, device or machine an id or `GYM/NAME`; a member or user an email address, an id, or a whole
  name that is unique. For an ambiguous name the error lists all matches.
- **Confirmation.** A command that destroys something or moves money asks first. `--yes` confirms beforehand; without it, and without a terminal,
  nothing is done.
- **Lost answers.** A command that creates something or moves money has an idempotency key and retries by itself. If no answer comes at all, the
  error names the key: the same command with `--key KEY` does it once, however often you repeat it.
- **Versions.** A change names the version that the command has just read. `--version N` names the version that you have read: if somebody else
  changed it first, the change is refused.
"""  # noqa: E501 - a row of a table is one line

_WIDTH = 100  # of a line of usage, independent of the terminal


@dataclass(frozen=True, slots=True)
class Command:
    """One command or group.

    Args:
        words: as typed after `fitmonitor`, like `gym list`.
        node: Typer's object.
        context: Typer's context, which its help needs.
    """

    words: str
    node: Any
    context: Any

    @property
    def is_group(self) -> bool:
        """Whether it has subcommands."""
        return hasattr(self.node, "commands")

    @property
    def help(self) -> str:
        """Its help, without the part of the docstring that is only for developers."""
        return inspect.cleandoc(self.node.help or "").partition("\f")[0].strip()

    @property
    def examples(self) -> list[str]:
        """The command line after `Example:`."""
        _, marker, example = self.help.rpartition("Example: ")
        return [" ".join(example.split())] if marker else []

    @property
    def about(self) -> str:
        """Its help without the example, each paragraph on one line."""
        text = self.help.rpartition("Example: ")[0] or ("" if self.examples else self.help)
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))

    @property
    def parameters(self) -> list[Any]:
        """Arguments, then options, without --help."""
        visible = [each for each in self.node.params if each.name != "help" and not getattr(each, "hidden", False)]
        return sorted(visible, key=lambda each: bool(each.param_type_name == "option"))


def commands() -> Iterator[Command]:
    """All commands and groups, in the order of `fitmonitor --help`. It loads all their modules."""
    for entry in COMMANDS:
        root = typer.main.get_command(application(entry.name))
        context = root.make_context(
            "fitmonitor", [], resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
        )
        node = root.commands[entry.name]  # type: ignore[attr-defined] # a group
        yield from _walk(entry.name, node, context)


def page() -> str:
    """The text of docs/commands.md."""
    panels = {entry.name: entry.panel for entry in COMMANDS}
    sections = [_HEAD]
    for panel, group in groupby(commands(), lambda command: panels[command.words.partition(" ")[0]]):
        sections += [f"\n## {panel}\n", *map(_section, group)]
    return "".join(sections)


def _walk(words: str, node: Any, parent: Any) -> Iterator[Command]:  # noqa: ANN401 - Typer's own
    context = node.make_context(words.rpartition(" ")[2], [], parent=parent, resilient_parsing=True)
    command = Command(words, node, context)
    yield command
    if command.is_group:
        for name, child in node.commands.items():
            yield from _walk(f"{words} {name}", child, context)


def _section(command: Command) -> str:
    level = "#" * min(3 + command.words.count(" "), 5)
    lines = [f"\n{level} fitmonitor {command.words}\n", f"\n{command.about}\n"]
    if not command.is_group or command.node.invoke_without_command:
        lines.append(f"\n```text\n{command.node.get_usage(command.context).removeprefix('Usage: ').strip()}\n```\n")
    if command.parameters:
        rows = [_row(each, command.context) for each in command.parameters]
        lines.append("\n| | |\n|---|---|\n" + "".join(rows))
    lines += [f"\n```text\n{example}\n```\n" for example in command.examples]
    return "".join(lines)


def _row(parameter: Any, context: Any) -> str:  # noqa: ANN401 - Typer's own
    names, text = parameter.get_help_record(context) or (parameter.name, "")
    names, text = " ".join(names.split()), " ".join(text.split())
    cells = (f"`{names}`", text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
