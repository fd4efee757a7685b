"""Replicas are added, taken away and replaced while doors scan."""

import time
from typing import Any

import pytest

from tests.faults.figures import Figures
from tests.faults.whole.system import Whole, wait_for

pytestmark = pytest.mark.timeout(600)

# The rule is a second. Here four pairs of replicas start at once beside the doors, on as few as two cores.
NO_LONGER_THAN_S = 3.0
DEPLOYMENTS = ("Gateway", "Qr", "Gym", "DoorConsumer")


def deployments(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The parts of a Serve configuration by their names."""
    return {part["name"]: part for application in config["applications"] for part in application["deployments"]}


def fix(config: dict[str, Any], name: str, replicas: int) -> None:
    part = deployments(config)[name]
    part.pop("autoscaling_config", None)
    part["num_replicas"] = replicas


def test_consumers_come_and_go_and_no_scan_is_lost(whole: Whole, figures: Figures) -> None:
    with whole.doors() as doors:
        for number in (3, 1):
            began_at = time.monotonic()
            whole.stack.redeploy(lambda config, number=number: fix(config, "DoorConsumer", number))  # type: ignore[misc]
            wait_for(lambda number=number: len(whole.replicas("DoorConsumer")) == number)  # type: ignore[misc]
            doors.wait_decided(time.monotonic(), 100)
            figures.tell("consumers", number)
            figures.of(doors, began_at, time.monotonic())
    whole.assert_nothing_lost(doors)


def test_a_rolling_update_of_every_application_loses_no_scan_and_no_second(whole: Whole, figures: Figures) -> None:
    def two(config: dict[str, Any]) -> None:
        for name in DEPLOYMENTS:
            fix(config, name, 2)

    def another_version(config: dict[str, Any]) -> None:
        two(config)
        for part in deployments(config).values():
            part["ray_actor_options"]["num_cpus"] = 0.09  # another figure makes other replicas

    with whole.doors() as doors:
        whole.stack.redeploy(two)
        before = {name: whole.wait_replicas(name, 2, besides=[]) for name in DEPLOYMENTS}
        began_at = doors.wait_decided(time.monotonic(), 100)
        whole.stack.redeploy(another_version)
        for name, processes in before.items():
            whole.wait_replicas(name, 2, besides=processes)
        doors.wait_decided(time.monotonic(), 100)
        overall, _ = figures.of(doors, began_at, time.monotonic())
    whole.assert_nothing_lost(doors)
    assert overall < NO_LONGER_THAN_S
    whole.stack.redeploy(lambda _config: None)
