"""Wrong options are refused before anything is started."""

import pytest

from cluster.cli.bench import _numbers, _parts, bench
from cluster.errors import CommandError
from cluster.load.benchmark.benchmark import Part


def test_parts_are_named_with_commas_between() -> None:
    assert _parts("levels, burst") == {Part.LEVELS, Part.BURST}


@pytest.mark.parametrize("text", ["", "levels,speed", "all"])
def test_an_unknown_part_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="unknown part"):
        _parts(text)


@pytest.mark.parametrize("text", ["", "0", "1,x", "100000"])
def test_what_is_no_number_of_connections_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="names no numbers"):
        _numbers(text)


def test_a_large_past_is_never_put_into_a_stack_that_is_used() -> None:
    with pytest.raises(CommandError, match="would fill the running stack"):
        bench(parts="large")
