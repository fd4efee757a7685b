"""Commands of `fitmonitor` at a running stack, within this process: a process of its own takes a second to start."""

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import structlog

from cluster.cli.main import main
from integrations.settings import settings


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Commands:
    """What somebody types who has the stack's data folder; `TestedStack.run` is the executable itself.

    Args:
        environment: of the caller.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def run(self, *words: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        logging = structlog.get_config()
        settings.cache_clear()
        try:
            with (
                patch.dict(os.environ, self._environment, clear=True),
                patch.multiple(sys, argv=["fitmonitor", *words], stdin=io.StringIO(), excepthook=sys.excepthook),
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                main()
        except SystemExit as end:
            return Ran(int(end.code or 0), out.getvalue(), err.getvalue())
        finally:
            settings.cache_clear()
            structlog.configure(**logging)
        raise AssertionError("a command ends with an exit code")

    def said(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.said(*words, "--json"))

    def refused(self, code: int, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert done.stderr.startswith("fitmonitor: ")
        assert len(done.stderr.splitlines()) == 1, "one line"
        return done.stderr
