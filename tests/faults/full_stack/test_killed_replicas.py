"""Replicas are killed while doors scan."""

import time

import pytest

from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole

pytestmark = [pytest.mark.soak("replicas"), pytest.mark.timeout(900)]


@pytest.mark.parametrize("deployment", ["QrScanner", "Gateway", "QrIssuer", "Gym", "Identity", "DoorConsumer"])
def test_a_killed_deployment_comes_back_and_no_scan_is_lost(deployment: str, whole: Whole, figures: Figures) -> None:
    with whole.doors() as doors:
        doors.wait_decided(doors.began_at, 100)
        victims = whole.replicas(deployment)
        assert victims
        killed_at = time.monotonic()
        for victim in victims:
            victim.kill()
        whole.wait_replicas(deployment, len(victims), besides=victims)
        figures.tell("processes replaced after, s", time.monotonic() - killed_at)
        whole.wait_ready()
        doors.wait_decided(time.monotonic(), 100)
    figures.of(doors, killed_at, doors.ended_at)
    whole.assert_nothing_lost(doors, scanner_died=deployment == "QrScanner")
