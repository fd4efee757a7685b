"""Which errors of a database mean that it cannot be had for now."""

import pymysql
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from domain.unit_of_work import is_away, should_decide_again


def error(number: int) -> DBAPIError:
    return OperationalError("SELECT 1", {}, pymysql.err.OperationalError(number, "said by the server"))


@pytest.mark.parametrize("number", [2003, 2006, 2013, 1040, 1053, 1045, 1129, 1203, 1206, 1226, 1317, 1969, 3024, 1021])
def test_a_server_that_cannot_be_had_now_is_away(number: int) -> None:
    assert is_away(error(number))
    assert not should_decide_again(error(number))


@pytest.mark.parametrize("number", [1062, 1205, 1213])
def test_a_lost_race_is_decided_again(number: int) -> None:
    assert should_decide_again(error(number))
    assert not is_away(error(number))


@pytest.mark.parametrize("number", [1064, 1146, 1406, 1452])
def test_what_the_statement_itself_did_wrong_is_neither(number: int) -> None:
    assert not is_away(error(number))
    assert not should_decide_again(error(number))
