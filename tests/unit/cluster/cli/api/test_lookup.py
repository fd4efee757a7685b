"""Names are found whether their accents are one code point or two."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.identity.model import Role
from tests.unit.cluster.cli.served_gateway import ServedGateway, served


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ServedGateway]:
    with served(tmp_path) as gateway:
        yield gateway


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_a_plan_is_found_by_the_name_that_it_was_created_with(gateway: ServedGateway) -> None:
    name = decomposed("Été")
    made = gateway.run("plan", "create", name, "--days", "30", "--price", "10.00")
    assert made.exit_code == 0, made.output
    shown = gateway.run("plan", "show", name, "--json")
    assert shown.exception is None, shown.exception
    assert json.loads(shown.stdout)["name"] == "Été"


@pytest.mark.parametrize(("told", "wanted"), [("Zoë", decomposed("Zoë")), (decomposed("Zoë"), "Zoë")])
def test_a_user_is_found_by_name(gateway: ServedGateway, told: str, wanted: str) -> None:
    member = gateway.harness.world.newcomer()
    token = gateway.harness.tokens.give(Role.USER, user_id=member, email="zoe@example.org", name=told)
    assert gateway.call("GET", "/me", Authorization=f"Bearer {token}").json()["name"] == "Zoë"
    shown = gateway.run("member", "show", wanted, "--json")
    assert shown.exception is None, shown.exception
