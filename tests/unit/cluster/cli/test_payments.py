"""`fitmonitor payments report`: a day's desk payments, by the name of the cashier."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cluster.cli.payments import app
from cluster.errors import CommandError
from integrations.settings import settings
from tests.unit.cluster.cli.served_gateway import ServedGateway, served

SALE = ("order", "desk", "tom@example.org", "30 days", "--method", "cash", "--yes")


def report(gateway: ServedGateway, folder: Path, *words: str) -> Result:
    url = gateway.harness.world.store.engine.url.render_as_string(hide_password=False)
    environment = {"FITMONITOR_DATABASE__URL": url, "FITMONITOR_DATA_DIR": str(folder)}
    settings.cache_clear()
    try:
        return CliRunner().invoke(app, ["report", *words], env=environment)
    finally:
        settings.cache_clear()


def test_a_cashier_is_named(tmp_path: Path) -> None:
    with served(tmp_path) as gateway:
        gateway.harness.world.newcomer("tom@example.org")
        assert gateway.run(*SALE).exit_code == 0
        admin = json.loads(gateway.run("user", "show", "olga@example.org", "--json").stdout)
        titles, row = report(gateway, tmp_path, "2026-03-02").stdout.splitlines()
        assert titles == "CASHIER\tMETHOD\tSALES\tTAKEN\tREFUNDED\tKEPT"
        assert row == f"{admin['name']}\tcash\t1\t10.00 EUR\t0.00 EUR\t10.00 EUR"
        (takings,) = json.loads(report(gateway, tmp_path, "2026-03-02", "--json").stdout)
        assert (takings["by_id"], takings["by_name"], takings["kept"]) == (admin["id"], admin["name"], 1000)
        assert report(gateway, tmp_path, "2026-03-01").stdout == "There were no desk payments.\n"


@pytest.mark.parametrize(("zone", "day"), [("Pacific/Kiritimati", "2026-03-03"), ("Pacific/Pago_Pago", "2026-03-02")])
def test_a_day_is_one_of_the_time_zone(tmp_path: Path, zone: str, day: str) -> None:
    """The sale is at noon in UTC: in Kiritimati, 14 hours ahead, it is the day after."""
    with served(tmp_path) as gateway:
        gateway.harness.world.newcomer("tom@example.org")
        assert gateway.run(*SALE).exit_code == 0
        assert "10.00 EUR" in report(gateway, tmp_path, day, "--time-zone", zone).stdout
        refused = report(gateway, tmp_path, day, "--time-zone", "Moon/Crater").exception
        assert isinstance(refused, CommandError)
        assert str(refused) == "Moon/Crater is not a time zone: write it like Europe/Berlin"
