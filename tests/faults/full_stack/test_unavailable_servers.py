"""The database or Kafka restarts, or is away for longer than any door waits, while doors scan."""

import time

import pytest

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from integrations.settings import DoorSettings
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole
from tests.faults.scanning_devices import PATIENCE_S

pytestmark = [pytest.mark.soak("outages"), pytest.mark.timeout(900)]

# A door is told a decision or a 503 at the deadline; twice as long for a machine on which a server starts meanwhile.
WITHIN_S = 2 * DoorSettings().deadline_s
TIMES_CALM = 10


def server(whole: Whole, name: str) -> MariaDbServer | KafkaServer:
    return whole.mariadb if name == "MariaDB" else whole.kafka


@pytest.mark.parametrize("name", ["MariaDB", "Kafka"])
@pytest.mark.parametrize("away_s", [0, 20], ids=["restarted", "away for 20 s"])
def test_doors_are_asked_to_retry_and_everything_is_decided_after(
    name: str, away_s: float, whole: Whole, figures: Figures
) -> None:
    its = server(whole, name)
    with whole.doors(give_up_s=PATIENCE_S) as doors:
        calm_from = doors.wait_decided(doors.began_at, 50)
        gone_at = doors.wait_decided(calm_from, 200)
        its.kill() if away_s else its.stop()
        try:
            time.sleep(away_s)
        finally:
            its.start()
        back_at = time.monotonic()
        first_at = doors.wait_decided(back_at)
        figures.tell("first decision after its return, s", first_at - back_at)
        doors.wait_decided(first_at, 200)
    figures.of(doors, gone_at, doors.ended_at)
    whole.store.close()  # its connections were to a server that is gone
    whole.assert_nothing_lost(doors)
    # Not one question was left without a word, nor for longer than its time.
    assert {one.status for one in doors.said} <= {200, 503}
    assert all(one.retry_after for one in doors.said if one.status == 503)
    calm_s, stalled_s = doors.slowest_answer(calm_from, gone_at), doors.longest_stall(gone_at, doors.ended_at)
    assert doors.slowest_answer(gone_at, doors.ended_at) <= WITHIN_S + TIMES_CALM * calm_s + stalled_s
