"""`fitmonitor` as a process of its own, forked from one that has imported all commands.

It has its own environment, settings and exit code, and a terminal where it is given one. Only what is about Python's
start (what is imported, the encoding that it chooses) needs more than that.
"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.cli.main import main
from integrations.settings import settings
from tests.forked import ForkedProcess

_ENDS_WITHIN_S = 120
# What a terminal's owner may have set, and a test sets by itself.
_OF_A_TERMINAL = {"COLUMNS", "LINES", "NO_COLOR", "COLORTERM", "FORCE_COLOR"}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command without a terminal, and without the settings of whoever runs the tests."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        for file in (out, err):
            file.touch()
        code = ForkedProcess([Path(os.devnull), out, err], _command, words, environment).wait(_ENDS_WITHIN_S)
        return subprocess.CompletedProcess(words, code, out.read_text("utf-8"), err.read_text("utf-8"))


def at_a_terminal(
    words: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, lines: int = 24, typed: bytes = b""
) -> tuple[int, str]:
    """A command on a terminal of its own.

    Args:
        typed: what somebody has typed already.

    Returns:
        Its exit code, and what it wrote, in UTF-8.
    """
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.write(ours, typed)
        command = ForkedProcess([Path(os.ttyname(theirs))] * 3, _command, words, environment)
        written = b""
        while True:
            ended = not command.is_running
            while select.select([ours], [], [], 0 if ended else 0.05)[0]:
                written += os.read(ours, 65536)
            if ended:
                return command.wait(0), written.decode(errors="replace")
    finally:
        os.close(ours)
        os.close(theirs)


def _command(words: Sequence[str], environment: Mapping[str, str]) -> None:
    for name in list(os.environ):
        if name.startswith("FITMONITOR_") or name in _OF_A_TERMINAL:
            del os.environ[name]
    os.environ.update(environment)
    settings.cache_clear()
    sys.argv = ["fitmonitor", *words]
    main()
