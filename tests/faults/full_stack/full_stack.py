"""A whole stack whose servers are the test's own, to be stopped and started at will."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from pydantic import SecretStr
from sqlalchemy import func, select

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from cluster.local.process import wait_gone
from domain.door.tables import scans
from domain.gyms.tables import gyms
from domain.unit_of_work import Store
from integrations.settings import DatabaseSettings, KafkaSettings, Settings
from tests.faults.door_load import Doors
from tests.faults.gyms import Gyms
from tests.faults.invariants import assert_invariants
from tests.faults.scanning_devices import Plan, Said
from tests.stacks import TestedStack
from tests.waiting import wait_until

_UP_AGAIN_S = 240.0
_OF_A_DEAD_REPLICA = "not the gateway's own: 'Internal Server Error'"


@dataclass
class Whole:
    """A stack, its servers, its store, and gyms in it."""

    stack: TestedStack
    mariadb: MariaDbServer
    kafka: KafkaServer
    topics: KafkaSettings
    store: Store
    gyms: Gyms

    @property
    def settings(self) -> Settings:
        """Where its database and Kafka are."""
        url = self.stack.record.environment["FITMONITOR_DATABASE__URL"]
        return Settings(kafka=self.topics, database=DatabaseSettings(url=SecretStr(url)))

    def doors(self, **how: Any) -> Doors:  # noqa: ANN401 - as `Plan` takes them
        """Doors at all gyms."""
        return doors_of(self.stack, self.gyms, **how)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """The processes of a deployment, by their titles."""
        return replicas(self.stack, deployment)

    def wait_replicas(self, deployment: str, number: int, besides: list[psutil.Process]) -> list[psutil.Process]:
        """Wait until so many serve, at least, and none of the others lives."""
        wait_until(lambda: len(set(self.replicas(deployment)) - set(besides)) >= number)
        assert not wait_gone(besides, _UP_AGAIN_S)
        return self.replicas(deployment)

    def redeploy_consumer(self, change: Callable[[dict[str, Any]], None], *, anew: bool = False) -> None:
        """Deploy the door's consumer with a change, everything else as it was at first, and wait until there is one.

        Args:
            change: of its part of the configuration.
            anew: whether the change makes another process of it.
        """
        before = self.replicas("DoorConsumer")
        self.stack.redeploy(lambda config: change(deployments(config)["DoorConsumer"]))
        if anew:
            assert not wait_gone(before, _UP_AGAIN_S)
        wait_until(lambda: len(self.replicas("DoorConsumer")) == 1)

    def first_number(self) -> int:
        """The smallest number that no gym has yet, nor any with a greater one."""
        with self.store.reading() as connection:
            taken: int | None = connection.execute(select(func.max(gyms.c.legacy_number))).scalar()
        return (taken or 0) + 1

    def wait_ready(self) -> None:
        wait_until(lambda: self.stack.is_ready)

    def assert_nothing_lost(self, doors: Doors, *, scanner_died: bool = False) -> None:
        """What every fault must leave behind it."""
        assert_nothing_lost(self.store, doors, scanner_died=scanner_died)


def deployments(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parts of a Serve configuration by their names."""
    return {part["name"]: part for application in config["applications"] for part in application["deployments"]}


def fix(part: dict[str, Any], replicas: int) -> None:
    """Have so many replicas of a deployment, whatever comes."""
    part.pop("autoscaling_config", None)
    part["num_replicas"] = replicas


def doors_of(stack: TestedStack, gyms: Gyms, **how: Any) -> Doors:  # noqa: ANN401 - as `Plan` takes them
    return Doors(Plan(stack.record.url, gyms, stack.data_dir / "keys" / "passes", **how))


def replicas(stack: TestedStack, deployment: str) -> list[psutil.Process]:
    found = []
    for process in stack.processes():
        try:
            title = (process.cmdline() or [""])[0]
        except psutil.Error:
            continue
        if title.startswith("ray::ServeReplica:") and f":{deployment}" in title:
            found.append(process)
    return found


def assert_nothing_lost(store: Store, doors: Doors, *, scanner_died: bool = False) -> None:
    """Every scan is decided, once, as its door was told; whoever repeats is told the same; clocks do not matter."""
    assert len({one.scan.asked for one in doors.decided}) == len(doors.decided) > 0
    assert all(answer.replayed for answer in doors.ask_again())
    assert_invariants(store, doors.given)
    assert not unexpected(doors, scanner_died=scanner_died)
    with store.reading() as connection:
        kept = {
            (row.scan_id, row.asked_by): row.scanned_at
            for row in connection.execute(select(scans.c.scan_id, scans.c.asked_by, scans.c.scanned_at))
        }
    for one in doors.decided:
        assert kept[one.scan.asked].isoformat() == one.scan.body["scanned_at"]


def unexpected(doors: Doors, *, scanner_died: bool = False) -> Counter[str]:
    """What no door should be told by the gateway, whatever fails: that its question is wrong, or of a defect.

    Answers of Serve's own proxy, in plain text, are let pass: 404 until it has heard of the gateway, and 500 for a
    request that was with a replica of the gateway that was killed. The gateway's own defects are problems in JSON.
    """
    known = {0, 200, 429, 502, 503, 504}
    said = [one for one in doors.said if one.status not in known and not _is_serve_starting(one)]
    return Counter(f"{one.status} {one.code}" for one in said if not (scanner_died and one.code == _OF_A_DEAD_REPLICA))


def _is_serve_starting(said: Said) -> bool:
    return said.status == httpx.codes.NOT_FOUND and "Ping http://.../-/routes" in said.code
