"""The plan is right: the door's own rules give every answer that it expects."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from cluster.load.answer_checks import check, compare_with_store
from cluster.load.benchmark.scan_plan import Lane, PlannedScan, Planner
from cluster.load.job import Answer, Driven
from cluster.load.requests import ScanRequests
from cluster.load.world import BenchWorld, gates_entered_by
from domain.door.model import DoorLimits, Outcome, Reason, ScanAnswer, ScanRequest
from domain.door.reconcile import disagreements
from domain.door.service import decide_batch
from domain.unit_of_work import Store
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key
from tests.unit.load.benchmark.conftest import NOW, loaded
from tests.world import HeldClock

GOOD_FOR = timedelta(seconds=20)
LANES = 4


class Doors:
    """The door itself, asked as the lanes would ask it: one scan of each lane in a batch, then the next."""

    def __init__(self, store: Store, key_dir: Path) -> None:
        ensure_pass_key(key_dir)
        self.clock = HeldClock(NOW)
        self._store = store
        self._requests = ScanRequests(PassSigner(key_dir), "127.0.0.1:8000")
        self._verifier = PassVerifier(key_dir)

    def drive(self, plan: list[Lane], seconds: float) -> Driven:
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
        return Driven(began.timestamp(), seconds, 0.0, answers, ran_out=False)

    def _request(self, scan: PlannedScan) -> ScanRequest:
        return ScanRequest(
            scan_id=scan.scan_id,
            asked_by=scan.device.id,
            gym_id=scan.gate.gym_id,
            gate_id=scan.gate.id,
            direction=scan.direction,
            reading=self._verifier.read(self._requests.sign(scan.code), self.clock.now),
            arrived_at=self.clock.now,
            decide_by=self.clock.now + timedelta(seconds=1.8),
        )


@pytest.fixture
def doors(store: Store, tmp_path: Path) -> Doors:
    return Doors(store, tmp_path / "keys")


def mixed(planner: Planner, store: Store, world: BenchWorld, now: datetime, scans: int = 800) -> list[Lane]:
    return planner.mixed(LANES, scans, who_is_inside(store, world), now, GOOD_FOR)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_door_answers_as_planned(doors: Doors, store: Store, bench_world: BenchWorld, seed: int) -> None:
    planner = Planner(bench_world, seed, refused_share=0.3)
    answers: list[tuple[UUID, ScanAnswer]] = []
    plans = [planner.entries(LANES, doors.clock.now, GOOD_FOR)]
    for number in range(3):
        if number:
            doors.clock.forward(30)
            plans.append(mixed(planner, store, bench_world, doors.clock.now))
        checked = check(plans[-1], doors.drive(plans[-1], 10), bench_world.capacity)
        assert (checked.errors, checked.wrong, checked.unchecked, checked.examples) == (0, 0, 0, [])
        answers += checked.answers
    assert sum(len(lane) for plan in plans for lane in plan) == len(answers) > 1000
    with store.reading() as connection:
        stored = compare_with_store(connection, bench_world.gym_ids, answers, all_answered=True)
        assert disagreements(connection) == []
    assert (stored.answered, stored.stored) == (len(answers), len(answers))
    assert (stored.lost, stored.stored_otherwise, stored.wrongly_inside) == (0, 0, 0)


def test_every_kind_of_refusal_comes_in_the_stated_share(store: Store, bench_world: BenchWorld) -> None:
    planner = Planner(bench_world, 1, refused_share=0.2)
    planner.entries(LANES, NOW, GOOD_FOR)
    scans = [scan for lane in mixed(planner, store, bench_world, NOW, 1500) for scan in lane]
    reasons = Counter(scan.expected.reason for scan in scans)
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


def test_half_of_the_members_are_inside_after_the_entries(bench_world: BenchWorld) -> None:
    scans = [scan for lane in Planner(bench_world, 1, 0.1).entries(LANES, NOW, GOOD_FOR) for scan in lane]
    assert {scan.expected.outcome for scan in scans} == {Outcome.ENTERED}
    assert len({scan.about for scan in scans}) == len(scans) == pytest.approx(len(bench_world.members) / 2, rel=0.2)


def test_no_two_scans_of_a_member_are_in_different_lanes(store: Store, bench_world: BenchWorld) -> None:
    plan = mixed(Planner(bench_world, 1, 0.1), store, bench_world, NOW)
    moved = [{scan.about for scan in lane if scan.expected.outcome is not Outcome.REFUSED} for lane in plan]
    assert sum(len(members) for members in moved) == len(set.union(*moved))


def test_no_code_is_shown_twice_but_by_those_who_try_to(store: Store, bench_world: BenchWorld) -> None:
    planner = Planner(bench_world, 1, 0.2)
    plans = [mixed(planner, store, bench_world, NOW + timedelta(seconds=after)) for after in (0, 5)]
    codes = [
        (scan.code.member_id, scan.code.issued_at)
        for plan in plans
        for lane in plan
        for scan in lane
        if scan.expected.reason not in {Reason.USED_PASS, Reason.EXPIRED_PASS}
    ]
    assert len(set(codes)) == len(codes)


def test_a_plan_is_shorter_when_the_codes_run_out(store: Store, bench_world: BenchWorld) -> None:
    planner = Planner(bench_world, 1, 0.0)
    scans = sum(len(lane) for lane in mixed(planner, store, bench_world, NOW, 100_000))
    assert 2000 < scans < 120 * 55


def test_the_same_seed_makes_the_same_choices(store: Store, bench_world: BenchWorld) -> None:
    first, again, other = (
        [
            (scan.gate.id, scan.direction, scan.about, scan.expected)
            for lane in mixed(Planner(bench_world, seed, 0.1), store, bench_world, NOW)
            for scan in lane
        ]
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_a_second_bench_in_the_same_store_has_gyms_of_its_own(store: Store, bench_world: BenchWorld) -> None:
    second = loaded(store)
    assert not set(second.gym_ids) & set(bench_world.gym_ids)
    assert (len(second.gates), second.devices) == (6, 96)


def test_exactly_as_many_as_wished_go_in_and_all_of_them_out_again(
    doors: Doors, store: Store, bench_world: BenchWorld
) -> None:
    planner = Planner(bench_world, 1, 0.0)
    doors.drive(planner.entries(LANES, doors.clock.now, GOOD_FOR, 37), 5)
    assert len(who_is_inside(store, bench_world)) == 37
    doors.clock.forward(30)
    exits = planner.exits(LANES, who_is_inside(store, bench_world), doors.clock.now, GOOD_FOR)
    checked = check(exits, doors.drive(exits, 5), bench_world.capacity)
    assert (checked.errors, checked.wrong, len(checked.answers)) == (0, 0, 37)
    assert who_is_inside(store, bench_world) == {}


def test_the_members_who_go_in_are_dealt_out_to_the_lanes(bench_world: BenchWorld) -> None:
    plan = Planner(bench_world, 1, 0.0).entries(4, NOW, GOOD_FOR, 10)
    assert [len(lane) for lane in plan] == [3, 3, 2, 2]


def test_who_passes_through_is_never_inside_with_another_of_their_lane(
    doors: Doors, store: Store, bench_world: BenchWorld
) -> None:
    plan = Planner(bench_world, 1, 0.1, passing_through=True).mixed(LANES, 600, {}, doors.clock.now, GOOD_FOR)
    for lane in plan:
        moves = [scan.expected.outcome for scan in lane if scan.expected.outcome is not Outcome.REFUSED]
        assert moves == [Outcome.ENTERED, Outcome.LEFT] * (len(moves) // 2) + [Outcome.ENTERED] * (len(moves) % 2)
    checked = check(plan, doors.drive(plan, 10), bench_world.capacity)
    assert (checked.errors, checked.wrong) == (0, 0)
    assert len(who_is_inside(store, bench_world)) <= LANES


def who_is_inside(store: Store, world: BenchWorld) -> dict[UUID, UUID]:
    with store.reading() as connection:
        return gates_entered_by(connection, world)
