"""Free TCP ports on the loopback address."""

import random
import socket
from collections.abc import Sequence

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768-60999), so that no client takes a port between
# the choice and the server's start; above Ray's defaults, so that a foreign Ray is not met.
FIRST, LAST = 20_000, 29_999


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As every server here does: a port in TIME_WAIT is free, one that is listened on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> Sequence[int]:
    """Choose neighbouring free ports at random.

    Args:
        count: how many ports, one after the other.

    Returns:
        The ports, ascending. Free on every address of the machine when looked at.

    Raises:
        OSError: when a hundred tries found no such row.
    """
    for _ in range(100):
        first = random.randint(FIRST, LAST - count)  # noqa: S311 - spreads stacks apart; guards nothing
        row = range(first, first + count)
        if all(is_free(port, "") for port in row):
            return row
    raise OSError(f"no {count} neighbouring free ports between {FIRST} and {LAST}")


def free_port() -> int:
    """Choose one free port at random."""
    return free_ports(1)[0]


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Whether something listens on the port and takes a connection."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
