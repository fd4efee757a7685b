"""Several processes decide on one store at once: nobody is inside twice and no place is given away twice."""

from multiprocessing import get_context
from uuid import UUID

from sqlalchemy import func, select

from domain.clock import system_clock
from domain.door.model import Direction, DoorLimits, PassReading, PassStatus, ScanAnswer, ScanRequest
from domain.door.reconcile import disagreements
from domain.door.service import decide_batch
from domain.door.tables import open_visits, scans
from domain.ids import new_id
from domain.unit_of_work import Store, should_retry
from tests.world import START, ManualClock, World

WRITERS, MEMBERS, PLACES = 4, 40, 7


def write(url: str, gyms: list[UUID], members: list[UUID]) -> None:
    """One writer: scans every member at every gym, each scan a unit of work of its own."""
    store = Store(url, pool_size=1)
    clock = ManualClock(START)
    device = new_id()
    for member in members:
        for gym in gyms:
            request = ScanRequest(
                scan_id=str(new_id()),
                asked_by=device,
                gym_id=gym,
                gate_id=gym,
                direction=Direction.ENTER,
                reading=PassReading(PassStatus.VALID, member, START),
                arrived_at=START,
                decide_by=system_clock(),
            )
            _decide(store, request, clock)
    store.close()


def _decide(store: Store, request: ScanRequest, clock: ManualClock) -> None:
    while True:
        try:
            with store.writing() as connection:
                (result,) = decide_batch(connection, [request], clock, DoorLimits())
        except Exception as error:
            if not should_retry(error):  # type: ignore[arg-type]
                raise
        else:
            if result is None:  # another writer has the gym or the member
                continue
            assert isinstance(result, ScanAnswer)
            return


def test_several_processes_write_to_one_store_at_once(store_url: str, world: World) -> None:
    gyms = [world.gym(PLACES), world.gym(PLACES)]
    members = world.members(MEMBERS)
    shifted = [members[turn * 3 :] + members[: turn * 3] for turn in range(WRITERS)]
    world.store.close()  # no connection may be in two processes
    with get_context("fork").Pool(WRITERS) as pool:
        pool.starmap_async(write, [(store_url, gyms, theirs) for theirs in shifted], chunksize=1).get(timeout=120)
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
