"""The command line names a user who has no address by the id."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli.api.errors import NotFoundError
from domain.identity.model import Role
from tests.unit.cluster.cli.served_gateway import ServedGateway, served


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ServedGateway]:
    with served(tmp_path) as gateway:
        yield gateway


def test_a_user_without_an_address_is_listed_and_found(gateway: ServedGateway) -> None:
    member = gateway.harness.world.newcomer()
    token = gateway.harness.tokens.give(Role.USER, user_id=member, email="google_42")
    assert gateway.call("GET", "/me", Authorization=f"Bearer {token}").json()["email"] is None
    listed = gateway.run("member", "list", "mia").stdout.splitlines()
    assert [line.split("\t")[2] for line in listed if str(member) in line] == ["-"]
    shown = gateway.run("member", "show", str(member))
    assert (shown.exit_code, "email" in shown.stdout) == (0, False)
    unsure = gateway.run("member", "ban", str(member), "--reason", "threw weights")
    assert f"Mia ({member})" in str(unsure.exception)
    by_part = gateway.run("member", "show", "mi")
    assert isinstance(by_part.exception, NotFoundError)
    assert str(member) in str(by_part.exception)
