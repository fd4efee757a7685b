"""Shells complete commands, subcommands and options, although only the wanted module is loaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cluster.cli.forked_command import run

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")


def completed(line: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_FITMONITOR_COMPLETE": "complete_bash"}
    done = run(**asked)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_commands_are_completed() -> None:
    assert completed("fitmonitor ga") == ["gate"]
    assert {"gym", "member", "kafka", "up"} <= set(completed("fitmonitor "))


def test_subcommands_are_completed() -> None:
    assert completed("fitmonitor gym he") == ["head-count", "head-counts"]
    assert completed("fitmonitor --verbose gym ret") == ["retire"]
    assert completed("fitmonitor kafka dead-letters sh") == ["show"]


def test_options_and_their_words_are_completed() -> None:
    assert completed("fitmonitor gym hours Riverside --s") == ["--set"]
    assert completed("fitmonitor gate create a b --serves ") == ["in", "out", "both"]
    assert completed("fitmonitor gym --a") == ["--as"]


def test_completing_loads_neither_ray_nor_fastapi() -> None:
    environment = os.environ | {
        "COMP_WORDS": "fitmonitor gym l",
        "COMP_CWORD": "2",
        "_FITMONITOR_COMPLETE": "complete_bash",
    }
    code = (
        "import sys; from cluster.cli.main import main\ntry:\n main()\nfinally:\n print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "list\n"
    assert not {"ray", "fastapi"} & set(done.stderr.split())


def test_zsh_and_fish_complete_too() -> None:
    for shell, further in (("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})):
        asked = {"_FITMONITOR_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "fitmonitor order d"}
        done = run(**asked, **further)
        assert done.returncode == 0, done.stderr
        assert "desk" in done.stdout, shell


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
def test_bash_itself_completes_after_reading_the_script() -> None:
    script = f"""
        PATH={_FITMONITOR.parent}:$PATH
        eval "$(fitmonitor --show-completion)"
        COMP_WORDS=(fitmonitor machine out); COMP_CWORD=2
        _fitmonitor_completion fitmonitor
        echo "${{COMPREPLY[@]}}"
        complete -p fitmonitor
    """
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    offered, registered = done.stdout.splitlines()
    assert offered == "out-of-order"
    assert "_fitmonitor_completion" in registered
