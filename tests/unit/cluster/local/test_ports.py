import socket

import pytest

from cluster.errors import CommandError
from cluster.local.ports import PortBlock, free_port, free_ports, is_free


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_listener_on_all_interfaces_takes_loopback_too() -> None:
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen()
        assert not is_free(server.getsockname()[1], "127.0.0.1")


def test_ports_of_a_server_are_consecutive_and_below_the_range_of_clients() -> None:
    first, second = free_ports(2)
    assert second == first + 1
    assert 20_000 <= free_port() < 32_768


def test_two_stacks_never_share_a_block_even_before_they_listen() -> None:
    one, other = PortBlock(), PortBlock()
    try:
        assert not set(one.take(200)) & set(other.take(200))
    finally:
        one.close()
        other.close()


def test_no_port_of_a_block_is_taken_twice() -> None:
    block = PortBlock()
    try:
        taken = [block.one(), *block.take(255)]
        assert len(set(taken)) == 256
        with pytest.raises(ValueError, match="used up"):
            block.one()
    finally:
        block.close()


def test_an_error_says_that_all_blocks_are_taken() -> None:
    blocks: list[PortBlock] = []
    try:
        with pytest.raises(CommandError, match="no free ports"):
            blocks.extend(PortBlock() for _ in range(100))
    finally:
        for block in blocks:
            block.close()
