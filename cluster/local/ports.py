"""Free TCP ports on the loopback address."""

import random
import socket
from collections.abc import Sequence

from cluster.errors import CommandError

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768-60999), so that no client takes a port between
# the choice and the server's start; above Ray's defaults, so that a foreign Ray is not met.
_ROWS = range(20_000, 28_000, 256)
_SINGLE = range(28_000, 30_000)


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
    """Choose neighbouring free ports at random, for one server.

    Raises:
        CommandError: when a hundred tries found no such row.
    """
    for _ in range(100):
        first = random.choice(_SINGLE[:-count])  # noqa: S311 - spreads servers apart; guards nothing
        row = range(first, first + count)
        if all(is_free(port, "") for port in row):
            return row
    raise CommandError(f"no {count} neighbouring free ports between {_SINGLE[0]} and {_SINGLE[-1]}")


def free_port() -> int:
    """Choose one free port at random, for one server."""
    return free_ports(1)[0]


class PortRow:
    """256 neighbouring ports that belong to one stack as long as this object is open.

    The claim is a name in the kernel's table of abstract sockets: seen by every process that shares the
    network with us, and gone with the process that holds it.
    """

    def __init__(self) -> None:
        for first in random.sample(_ROWS, len(_ROWS)):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0fitmonitor-ports-{first}")
            except OSError:
                claim.close()
                continue
            if all(is_free(port, "") for port in range(first, first + _ROWS.step)):
                self._claim = claim
                self._next, self._end = first, first + _ROWS.step
                return
            claim.close()
        raise CommandError("no free ports between 20000 and 28000", "stop what listens there")

    def take(self, count: int) -> range:
        """The next ports of the row that were not taken yet."""
        taken = range(self._next, self._next + count)
        if taken.stop > self._end:
            raise ValueError("the row of ports is used up")
        self._next = taken.stop
        return taken

    def one(self) -> int:
        """The next port of the row."""
        return self.take(1)[0]

    def close(self) -> None:
        """Give the row back."""
        self._claim.close()
