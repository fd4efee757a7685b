"""`fitmonitor` as a process of its own, forked from this one: what a Python that starts anew would import is there.

A child has its own environment, settings and exit code, and a terminal where it is given one. Only what is about
Python's start (what is imported, the encoding that it chooses) needs more than that.
"""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from cluster.cli.main import application, main
from integrations.settings import settings

_ENDS_WITHIN_S = 120
# What a terminal's owner may have set, and a test sets by itself.
_OF_A_TERMINAL = {"COLUMNS", "LINES", "NO_COLOR", "COLORTERM", "FORCE_COLOR"}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command without a terminal, and without the settings of whoever runs the tests."""
    _load(words)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        child = os.fork()
        if not child:
            _become(words, environment, (nothing, out, err))
        code = _ended(child)
        said = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess(words, code, *said)


def at_a_terminal(
    words: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, lines: int = 24, typed: bytes = b""
) -> tuple[int, str]:
    """A command on a terminal of its own.

    Args:
        typed: what somebody has typed already.

    Returns:
        Its exit code, and what it wrote, in UTF-8.
    """
    _load(words)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    child = os.fork()
    if not child:
        os.close(ours)
        _become(words, environment, theirs)
    os.close(theirs)
    written = b""
    try:
        os.write(ours, typed)
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    os.close(ours)
    return _ended(child), written.decode(errors="replace")


def _load(words: Sequence[str]) -> None:
    """Import what the command needs here, for all that come after it."""
    application(next((word for word in words if not word.startswith("-")), None))


def _become(
    words: Sequence[str], environment: Mapping[str, str], streams: int | tuple[IO[bytes], IO[bytes], IO[bytes]]
) -> NoReturn:
    """Run the command in this process, which is a child, and end."""
    code = 70
    try:
        if isinstance(streams, int):
            os.login_tty(streams)
        else:
            for number, stream in enumerate(streams):
                os.dup2(stream.fileno(), number)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_ENDS_WITHIN_S)
        for name in list(os.environ):
            if name.startswith("FITMONITOR_") or name in _OF_A_TERMINAL:
                del os.environ[name]
        os.environ.update(environment)
        settings.cache_clear()
        sys.argv = ["fitmonitor", *words]
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in enumerate(("r", "w", "w"))
        )
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - nothing of the tests' own process may go on in this one
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
