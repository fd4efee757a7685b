"""Several processes decide on one store at once: nobody is inside twice and no place is given away twice."""

import json
import subprocess
import sys
from uuid import UUID

from sqlalchemy import func, select

from domain.clock import system_clock
from domain.door.model import Direction, DoorLimits, PassReading, PassStatus, ScanAnswer, ScanRequest
from domain.door.reconcile import disagreements
from domain.door.service import decide_batch
from domain.ids import new_id
from domain.tables import open_visits, scans
from domain.unit_of_work import Store, should_decide_again
from tests.world import START, HeldClock, World

WRITERS, MEMBERS, PLACES = 4, 40, 7


def write(url: str, gyms: list[str], members: list[str]) -> dict[str, int]:
    """One writer: scans every member at every gym, each scan a unit of work of its own."""
    store = Store(url, pool_size=1)
    clock = HeldClock(START)
    device = new_id()
    outcomes: dict[str, int] = {}
    for member in members:
        for gym in gyms:
            request = ScanRequest(
                scan_id=str(new_id()),
                asked_by=device,
                gym_id=UUID(gym),
                gate_id=UUID(gym),
                direction=Direction.ENTER,
                reading=PassReading(PassStatus.VALID, UUID(member), START),
                arrived_at=START,
                decide_by=system_clock(),
            )
            outcome = _decide(store, request, clock)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    store.close()
    return outcomes


def _decide(store: Store, request: ScanRequest, clock: HeldClock) -> str:
    while True:
        try:
            with store.writing() as connection:
                (result,) = decide_batch(connection, [request], clock, DoorLimits())
        except Exception as error:
            if not should_decide_again(error):  # type: ignore[arg-type]
                raise
        else:
            if result is None:  # another writer has the gym or the member
                continue
            assert isinstance(result, ScanAnswer)
            return str(result.outcome if not result.replayed else "replayed")


def test_several_processes_write_to_one_store_at_once(store_url: str, world: World) -> None:
    gyms = [world.gym(PLACES), world.gym(PLACES)]
    members = world.members(MEMBERS)
    question = {"url": store_url, "gyms": [str(gym) for gym in gyms]}
    writers = []
    for turn in range(WRITERS):
        shifted = members[turn * 3 :] + members[: turn * 3]
        asked = json.dumps({**question, "members": [str(member) for member in shifted]})
        writers.append(
            subprocess.Popen([sys.executable, "-m", __name__, asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )
    told = [writer.communicate(timeout=120) for writer in writers]
    for writer, (_, errors) in zip(writers, told, strict=True):
        assert writer.returncode == 0, errors.decode()
    with world.store.reading() as connection:
        assert disagreements(connection) == []
        inside: dict[UUID, int] = dict(
            connection.execute(select(open_visits.c.gym_id, func.count()).group_by(open_visits.c.gym_id)).all()
        )
        assert [inside.get(gym, 0) for gym in gyms] == [PLACES, PLACES], (
            "each code admits once, each place is taken once"
        )
        assert connection.execute(select(func.count()).select_from(scans)).scalar_one() == (
            WRITERS * MEMBERS * len(gyms)
        )


if __name__ == "__main__":
    print(json.dumps(write(**json.loads(sys.argv[1]))))  # noqa: T201 - told to the test that started this
