"""Files that commands read and write; `-` is standard input or output."""

import sys
from pathlib import Path

from cluster.errors import CommandError


def read_text(file: Path) -> str:
    """The text of a file, or of standard input.

    Raises:
        CommandError: it cannot be read, or is not UTF-8.
    """
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read ({type(error).__name__})") from error


def read_bytes(file: Path) -> bytes:
    """The content of a file.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read", error.strerror or str(error)) from error


def write_bytes(file: Path, content: bytes) -> None:
    """Write a file, or to standard output.

    Raises:
        CommandError: it cannot be written.
    """
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{file} cannot be written", error.strerror or str(error)) from error
