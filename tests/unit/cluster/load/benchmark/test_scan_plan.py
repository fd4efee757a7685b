"""The plan is right: the door's own rules give every answer that it expects."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from cluster.load.benchmark.scan_plan import Lane, Planner
from cluster.load.benchmark.traffic import check, gates_entered_by
from cluster.load.figures import faults_in
from cluster.load.generator import Answer, JobResult
from cluster.load.invariants import compare_with_store
from cluster.load.oracle import AnswerLog
from cluster.load.passes import signed
from cluster.load.scans import Scan
from cluster.load.world import World
from domain.door.model import DoorLimits, Outcome, Reason, ScanRequest
from domain.door.reconcile import disagreements
from domain.door.service import decide_batch
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key
from tests.unit.cluster.load.conftest import NOW
from tests.world import ManualClock

GOOD_FOR = timedelta(seconds=20)
LANES = 4


class Doors:
    """The door itself, asked as the lanes would ask it: one scan of each lane in a batch, then the next."""

    def __init__(self, store: Store, key_dir: Path) -> None:
        ensure_pass_key(key_dir)
        self.clock = ManualClock(NOW)
        self._store = store
        self._signer = PassSigner(key_dir)
        self._verifier = PassVerifier(key_dir)

    def drive(self, plan: list[Lane], seconds: float) -> JobResult:
        began = self.clock.now
        answers: list[list[Answer]] = [[] for _ in plan]
        longest = max(len(lane) for lane in plan)
        for step in range(longest):
            self.clock.now = began + timedelta(seconds=seconds * step / longest)
            asked = [(lane, scans[step]) for lane, scans in enumerate(plan) if step < len(scans)]
            with self._store.writing() as connection:
                results = decide_batch(connection, [self._request(scan) for _, scan in asked], self.clock, DoorLimits())
            for (lane, _), result in zip(asked, results, strict=True):
                sent = (self.clock.now - began).total_seconds()
                answers[lane].append(Answer(sent, 0.001, 200, msgspec.json.encode(result)))
        return JobResult(began.timestamp(), seconds, 0.0, answers, ran_out=False)

    def _request(self, scan: Scan) -> ScanRequest:
        return ScanRequest(
            scan_id=scan.scan_id,
            asked_by=scan.device.id,
            gym_id=scan.gate.gym_id,
            gate_id=scan.gate.id,
            direction=scan.direction,
            reading=self._verifier.read(signed(scan.shown, self._signer), self.clock.now),
            arrived_at=self.clock.now,
            decide_by=self.clock.now + timedelta(seconds=1.8),
        )


@pytest.fixture
def doors(store: Store, tmp_path: Path) -> Doors:
    return Doors(store, tmp_path / "keys")


def outcome_of(scan: Scan) -> Outcome:
    [(outcome, _)] = scan.expected.decisions
    return outcome


def reason_of(scan: Scan) -> Reason | None:
    [(_, reason)] = scan.expected.decisions
    return reason


def mixed(planner: Planner, store: Store, world: World, now: datetime, scans: int = 800) -> list[Lane]:
    return planner.mixed(LANES, scans, who_is_inside(store, world), now, GOOD_FOR)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_door_answers_as_planned(doors: Doors, store: Store, world: World, seed: int) -> None:
    planner = Planner(world, seed, refused_share=0.3)
    log, since = AnswerLog(), new_id()
    plans = [planner.entries(LANES, doors.clock.now, GOOD_FOR)]
    for number in range(3):
        if number:
            doors.clock.forward(30)
            plans.append(mixed(planner, store, world, doors.clock.now))
        checked = check(plans[-1], doors.drive(plans[-1], 10), log)
        assert (checked.errors, checked.wrong, checked.unchecked, log.examples) == (0, 0, 0, [])
    assert sum(len(lane) for plan in plans for lane in plan) == len(log.answers) > 1000
    with store.reading() as connection:
        stored = compare_with_store(connection, world.gym_ids, log, since)
        assert disagreements(connection) == []
    assert (stored.answered, stored.stored) == (len(log.answers), len(log.answers))
    assert (stored.lost, stored.stored_otherwise, stored.wrongly_inside) == (0, 0, 0)
    assert (stored.occupancy_broken, stored.over_capacity, stored.inside) == (0, 0, len(log.inside))
    assert faults_in(asdict(stored)) == 0
    assert log.admitted_twice == 0


def test_every_kind_of_refusal_comes_in_the_stated_share(store: Store, world: World) -> None:
    planner = Planner(world, 1, refused_share=0.2)
    planner.entries(LANES, NOW, GOOD_FOR)
    scans = [scan for lane in mixed(planner, store, world, NOW, 1500) for scan in lane]
    reasons = Counter(reason_of(scan) for scan in scans)
    assert set(reasons) == {
        None,
        Reason.NO_MEMBERSHIP,
        Reason.MEMBERSHIP_ENDED,
        Reason.BANNED,
        Reason.UNKNOWN_PASS,
        Reason.EXPIRED_PASS,
        Reason.USED_PASS,
        Reason.ALREADY_INSIDE,
    }
    assert 0.12 < 1 - reasons[None] / len(scans) < 0.28


def test_half_of_the_members_are_inside_after_the_entries(world: World) -> None:
    scans = [scan for lane in Planner(world, 1, 0.1).entries(LANES, NOW, GOOD_FOR) for scan in lane]
    assert {outcome_of(scan) for scan in scans} == {Outcome.ENTERED}
    assert len({scan.shown.member_id for scan in scans}) == len(scans) == pytest.approx(len(world.members) / 2, rel=0.2)


def test_no_two_scans_of_a_member_are_in_different_lanes(store: Store, world: World) -> None:
    plan = mixed(Planner(world, 1, 0.1), store, world, NOW)
    moved = [{scan.shown.member_id for scan in lane if outcome_of(scan) is not Outcome.REFUSED} for lane in plan]
    assert sum(len(members) for members in moved) == len(set.union(*moved))


def test_no_code_is_shown_twice_but_by_those_who_try_to(store: Store, world: World) -> None:
    planner = Planner(world, 1, 0.2)
    plans = [mixed(planner, store, world, NOW + timedelta(seconds=after)) for after in (0, 5)]
    codes = [
        (scan.shown.member_id, scan.shown.issued_at)
        for plan in plans
        for lane in plan
        for scan in lane
        if reason_of(scan) not in {Reason.USED_PASS, Reason.EXPIRED_PASS}
    ]
    assert len(set(codes)) == len(codes)


def test_a_plan_is_shorter_when_the_codes_run_out(store: Store, world: World) -> None:
    planner = Planner(world, 1, 0.0)
    scans = sum(len(lane) for lane in mixed(planner, store, world, NOW, 100_000))
    assert 2000 < scans < 120 * 55


def test_the_same_seed_makes_the_same_choices(store: Store, world: World) -> None:
    first, again, other = (
        [
            (scan.gate.id, scan.direction, scan.shown.member_id, scan.expected.decisions)
            for lane in mixed(Planner(world, seed, 0.1), store, world, NOW)
            for scan in lane
        ]
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_exactly_the_requested_number_enters_and_all_leave_again(doors: Doors, store: Store, world: World) -> None:
    planner = Planner(world, 1, 0.0)
    doors.drive(planner.entries(LANES, doors.clock.now, GOOD_FOR, 37), 5)
    assert len(who_is_inside(store, world)) == 37
    doors.clock.forward(30)
    exits = planner.exits(LANES, who_is_inside(store, world), doors.clock.now, GOOD_FOR)
    checked = check(exits, doors.drive(exits, 5), AnswerLog())
    assert (checked.errors, checked.wrong, len(checked.given)) == (0, 0, 37)
    assert who_is_inside(store, world) == {}


def test_the_members_who_go_in_are_dealt_out_to_the_lanes(world: World) -> None:
    plan = Planner(world, 1, 0.0).entries(4, NOW, GOOD_FOR, 10)
    assert [len(lane) for lane in plan] == [3, 3, 2, 2]


def test_who_passes_through_is_never_inside_with_another_of_their_lane(
    doors: Doors, store: Store, world: World
) -> None:
    plan = Planner(world, 1, 0.1, passing_through=True).mixed(LANES, 600, {}, doors.clock.now, GOOD_FOR)
    for lane in plan:
        moves = [outcome_of(scan) for scan in lane if outcome_of(scan) is not Outcome.REFUSED]
        assert moves == [Outcome.ENTERED, Outcome.LEFT] * (len(moves) // 2) + [Outcome.ENTERED] * (len(moves) % 2)
    checked = check(plan, doors.drive(plan, 10), AnswerLog())
    assert (checked.errors, checked.wrong) == (0, 0)
    assert len(who_is_inside(store, world)) <= LANES


def who_is_inside(store: Store, world: World) -> dict[UUID, UUID]:
    with store.reading() as connection:
        return gates_entered_by(connection, world)
