import socket

import pytest

from cluster.errors import CommandError
from cluster.local.ports import PortBlock, free_port, free_ports, is_free


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_one_that_listens_on_every_address_takes_loopback_too() -> None:
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen()
        assert not is_free(server.getsockname()[1], "127.0.0.1")


def test_ports_of_a_server_are_neighbours_below_the_range_of_clients() -> None:
    first, second = free_ports(2)
    assert second == first + 1
    assert 20_000 <= free_port() < 32_768


def test_two_stacks_never_share_a_row_even_before_they_listen() -> None:
    one, other = PortBlock(), PortBlock()
    try:
        assert not set(one.take(200)) & set(other.take(200))
    finally:
        one.close()
        other.close()


def test_no_port_of_a_row_is_given_twice_nor_beyond_it() -> None:
    row = PortBlock()
    try:
        taken = [row.one(), *row.take(255)]
        assert len(set(taken)) == 256
        with pytest.raises(ValueError, match="used up"):
            row.one()
    finally:
        row.close()


def test_when_every_row_is_taken_the_reason_is_said() -> None:
    rows: list[PortBlock] = []
    try:
        with pytest.raises(CommandError, match="no free ports"):
            rows.extend(PortBlock() for _ in range(100))
    finally:
        for row in rows:
            row.close()
