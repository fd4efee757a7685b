"""Free TCP ports on the loopback address."""

import random
import socket
from collections.abc import Sequence

import psutil

from cluster.errors import CommandError

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768-60999), so that no client takes a port before the server
# starts; above Ray's defaults, so that another Ray is not reached.
_BLOCKS = range(20_000, 28_000, 256)
_SINGLE = range(28_000, 30_000)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As all our servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> Sequence[int]:
    """Choose consecutive free ports at random, for one server.

    Raises:
        CommandError: none were found in 100 attempts.
    """
    for _ in range(100):
        first = random.choice(_SINGLE[:-count])  # noqa: S311 - not a secret
        ports = range(first, first + count)
        if all(is_free(port, "") for port in ports):
            return ports
    raise CommandError(f"no {count} consecutive free ports between {_SINGLE[0]} and {_SINGLE[-1]}")


def free_port() -> int:
    """Choose one free port at random, for one server."""
    return free_ports(1)[0]


class PortBlock:
    """256 consecutive ports that are reserved for one stack until `close`.

    The reservation is the name of an abstract Unix socket. Every process in the same network namespace sees it, and
    it ends with the process.
    """

    def __init__(self) -> None:
        for first in random.sample(_BLOCKS, len(_BLOCKS)):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0fitmonitor-ports-{first}")
            except OSError:
                claim.close()
                continue
            if all(is_free(port, "") for port in range(first, first + _BLOCKS.step)):
                self._claim = claim
                self._next, self._end = first, first + _BLOCKS.step
                return
            claim.close()
        raise CommandError("no free ports between 20000 and 28000", "stop programs that listen there")

    def take(self, count: int) -> range:
        """Take the next ports of the block."""
        taken = range(self._next, self._next + count)
        if taken.stop > self._end:
            raise ValueError("the block of ports is used up")
        self._next = taken.stop
        return taken

    def one(self) -> int:
        """Take the next port of the block."""
        return self.take(1)[0]

    def close(self) -> None:
        """Release the block."""
        self._claim.close()


def listener_of(port: int) -> str:
    """Describe the process that listens on a port, for an error message; empty if it is not visible to us."""
    try:
        for link in psutil.net_connections("tcp"):
            if link.status == psutil.CONN_LISTEN and link.laddr and link.laddr.port == port and link.pid:
                return f" by {psutil.Process(link.pid).name()} (pid {link.pid})"
    except psutil.Error:
        pass
    return ""
