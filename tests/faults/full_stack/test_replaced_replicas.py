"""Replicas are added, taken away and replaced while doors scan."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from integrations.settings import DoorSettings
from tests.faults.door_load import Doors
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole, deployments, fix
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak("replicas"), pytest.mark.timeout(900)]

DEPLOYMENTS = ("QrScanner", "Gateway", "Gym", "DoorConsumer")
# A scan that was on its way to a replica that ends is answered with 503 at its deadline at the latest, and asked again.
DEADLINE_S = DoorSettings().deadline_s
# Replicas that start take their share of the cores, which the calm before has not seen.
TIMES_CALM = 10


def longest_bearable_gap(doors: Doors, calm_from: float, calm_until: float) -> float:
    """How long a change may leave the doors without a decision: no longer than one deadline more than ever, in s."""
    return (
        DEADLINE_S
        + TIMES_CALM * doors.longest_gap(calm_from, calm_until)
        + doors.longest_stall(calm_until, doors.ended_at)
    )


def test_consumers_come_and_go_and_no_scan_is_lost(whole: Whole, figures: Figures) -> None:
    with whole.doors() as doors:
        for number in (3, 1):
            began_at = time.monotonic()
            whole.stack.redeploy(lambda config, number=number: fix(deployments(config)["DoorConsumer"], number))  # type: ignore[misc]
            wait_until(lambda number=number: len(whole.replicas("DoorConsumer")) == number)  # type: ignore[misc]
            doors.wait_decided(time.monotonic(), 100)
            figures.tell("consumers", number)
            figures.of(doors, began_at, time.monotonic())
    whole.assert_nothing_lost(doors)


def two_of_each(config: dict[str, Any]) -> None:
    # What no door waits for makes room: eight replicas and their successors start on this machine.
    config["applications"] = [app for app in config["applications"] if app["name"] != "live"]
    for name in DEPLOYMENTS:
        fix(deployments(config)[name], 2)


def two_of_another_version(config: dict[str, Any]) -> None:
    two_of_each(config)
    for name in DEPLOYMENTS:  # those on the path of a scan, and the gateway
        deployments(config)[name]["ray_actor_options"]["num_cpus"] = 0.09  # another figure makes other replicas


@pytest.fixture(scope="module")
def pairs(whole: Whole) -> Iterator[Whole]:
    """The stack with two replicas of each deployment."""
    whole.stack.redeploy(two_of_each)
    for name in DEPLOYMENTS:
        whole.wait_replicas(name, 2, besides=[])
    yield whole
    whole.stack.redeploy(lambda _config: None)


def test_a_rolling_update_of_every_application_loses_no_scan_and_no_second(pairs: Whole, figures: Figures) -> None:
    before = {name: pairs.replicas(name) for name in DEPLOYMENTS}
    with pairs.doors() as doors:
        calm_from = doors.wait_decided(doors.began_at, 50)
        began_at = doors.wait_decided(calm_from, 300)
        pairs.stack.redeploy(two_of_another_version)
        for name, processes in before.items():
            pairs.wait_replicas(name, 2, besides=processes)
        doors.wait_decided(time.monotonic(), 100)
    overall, _ = figures.of(doors, began_at, doors.ended_at)
    pairs.assert_nothing_lost(doors)
    assert overall <= longest_bearable_gap(doors, calm_from, began_at)


def test_one_of_each_pair_is_killed_and_the_other_goes_on(pairs: Whole, figures: Figures) -> None:
    # Not of the consumers: the gyms of a killed one wait for the group's session, see `test_killed_replica.py`.
    victims = {name: pairs.replicas(name)[0] for name in DEPLOYMENTS if name != "DoorConsumer"}
    with pairs.doors() as doors:
        calm_from = doors.wait_decided(doors.began_at, 50)
        killed_at = doors.wait_decided(calm_from, 300)
        for victim in victims.values():
            victim.kill()
        for name, victim in victims.items():
            pairs.wait_replicas(name, 2, besides=[victim])
        doors.wait_decided(time.monotonic(), 100)
    overall, _ = figures.of(doors, killed_at, doors.ended_at)
    pairs.assert_nothing_lost(doors)
    assert overall <= longest_bearable_gap(doors, calm_from, killed_at)
