"""Every command has a help, and docs/commands.md is up to date."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cluster.cli.commands_page import Command, commands, page
from cluster.cli.main import COMMANDS, application

ALL = list(commands())
LEAVES = [command for command in ALL if not command.is_group or command.node.invoke_without_command]
# What these are for is to start and stop Ray, or to measure beside it.
NEEDS_RAY = {"up", "bench"}


def named(command: Command) -> str:
    return command.words


def test_the_page_is_what_the_commands_say() -> None:
    written = (Path(__file__).parents[4] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m cluster.cli.commands_page > docs/commands.md"


def test_the_page_has_no_paths_of_the_machine_that_wrote_it() -> None:
    assert not re.search(r"/(root|home|work|tmp)/", page())


@pytest.mark.parametrize("command", ALL, ids=named)
def test_every_command_has_a_help(command: Command) -> None:
    assert command.about
    for parameter in command.parameters:
        assert parameter.help, f"{command.words} {parameter.name} has no help"


@pytest.mark.parametrize("command", LEAVES, ids=named)
def test_every_example_can_be_typed(command: Command) -> None:
    assert command.examples, f"{command.words} has no example"
    for example in command.examples:
        assert f"fitmonitor {command.words}" in example
        for words in typed(example):
            parses(words)


def typed(example: str) -> list[list[str]]:
    """The arguments of each `fitmonitor` in a line of a shell."""
    return [shlex.split(each) for each in re.findall(r"""fitmonitor ((?:"[^"]*"|'[^']*'|[^;|>)"'&])*)""", example)]


def parses(words: list[str]) -> None:
    """Raises what Typer says of words that it does not know, of missing ones, and of values that do not fit."""
    node: Any = typer.main.get_command(application(words[0]))
    context = node.make_context("fitmonitor", list(words), resilient_parsing=False)
    while hasattr(node, "commands"):
        rest = [*context._protected_args, *context.args]  # noqa: SLF001 - where a group keeps what is not its own
        if not rest and node.invoke_without_command:
            return
        name, child, further = node.resolve_command(context, rest)
        node, context = child, child.make_context(name, further, parent=context)


def test_unknown_words_in_examples_would_be_found() -> None:
    for words in (["gym", "lst"], ["gym", "list", "--nonsense"], ["gym", "show"], ["nonsense"]):
        with pytest.raises(Exception, match=r"(?i)no such|missing|does not"):
            parses(words)


def test_modules_that_do_not_start_ray_do_not_import_it() -> None:
    modules = sorted({entry.where.partition(":")[0] for entry in COMMANDS if entry.name not in NEEDS_RAY})
    code = (
        "import sys, importlib\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    assert 'ray' not in sys.modules, name"
    )
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_is_where_the_list_says() -> None:
    for entry in COMMANDS:
        module, name = entry.where.split(":")
        assert callable(getattr(importlib.import_module(module), name))
