"""What a load finds and writes in the store."""

from uuid import UUID

from sqlalchemy import func, select, update

from cluster.demo_data import GYMS
from cluster.load.rush.visitors import SHARES
from cluster.load.seeding import GATES_PER_GYM, WorldSpec, company_name, retire_world, seed, withdraw_devices
from cluster.load.world import MemberKind, World
from domain.clock import system_clock
from domain.companies.repository import CompanyRepository
from domain.door.tables import open_visits, visits
from domain.gyms.tables import gate_devices, gyms
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.ledger_check import check_ledger
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.tables import memberships
from domain.paging import PageRequest
from domain.unit_of_work import Store
from tests.unit.cluster.load.conftest import seeded

DEVICES_PER_GATE = 4


def world_of(store: Store, capacities: tuple[int, ...] = (5, 7), members: int = 40) -> World:
    return seed(store, WorldSpec("Rush", capacities, members, DEVICES_PER_GATE, SHARES), system_clock())


def test_a_second_rush_finds_gyms_and_members_again(store: Store) -> None:
    first = world_of(store)
    second = world_of(store, (9, 8, 3), 50)
    assert second.gym_ids[:2] == first.gym_ids
    assert [gym.capacity for gym in second.gyms] == [9, 8, 3]
    assert [gym.name for gym in second.gyms] == ["Rush gym 1", "Rush gym 2", "Rush gym 3"]
    assert [member.id for member in second.members[:40]] == [member.id for member in first.members]
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(users)).scalar() == 50
        rows = connection.execute(select(gyms.c.capacity, gyms.c.reentry_after_s).order_by(gyms.c.legacy_number)).all()
        assert [tuple(row) for row in rows] == [(9, None), (8, None), (3, None)]


def test_devices_are_new_each_time_and_withdrawn(store: Store) -> None:
    first = world_of(store)
    second = world_of(store)
    assert not _devices(first) & _devices(second)
    assert len(_devices(second)) == 2 * GATES_PER_GYM * DEVICES_PER_GATE
    assert _in_use(store) == _devices(second), "a rush that was killed leaves none behind for long"
    with store.writing() as connection:
        withdraw_devices(connection, company_name("Rush"), system_clock())
    assert _in_use(store) == set()


def test_credentials_are_not_shown(store: Store) -> None:
    world = world_of(store)
    secret = world.gyms[0].gates[0].devices[0].credential
    assert secret not in repr(world)


def test_memberships_are_what_their_ledgers_say(store: Store) -> None:
    world = world_of(store)
    with store.reading() as connection:
        assert list(check_ledger(connection)) == []
        held = {row.member_id: row.ends_at for row in connection.execute(select(memberships))}
    now = system_clock()
    for member in world.members:
        if member.kind is MemberKind.NO_MEMBERSHIP:
            assert member.id not in held
        else:
            assert (held[member.id] > now) is (member.kind is not MemberKind.ENDED)


def test_nothing_of_it_is_for_sale_and_others_gyms_are_of_another_company(store: Store) -> None:
    world_of(store)
    with store.writing() as connection:
        sold = PlanRepository(connection).plans(PageRequest(10)).items
        assert "Rush" not in {plan.details.name for plan in sold}
        company = CompanyRepository(connection).lock_or_create(system_clock())
        ours = set(connection.execute(select(gyms.c.company_id)).scalars())
    assert company not in ours
    assert not {f"Rush gym {number}" for number in range(1, 9)} & {name for name, *_ in GYMS}


def test_who_was_left_inside_is_known(store: Store) -> None:
    world = world_of(store)
    member, visit_id, now = world.members[3], new_id(), system_clock()
    with store.writing() as connection:
        entered = {"gym_id": world.gym_ids[1], "member_id": member.id, "entered_at": now}
        connection.execute(visits.insert().values(id=visit_id, pass_issued_at=now.replace(microsecond=0), **entered))
        connection.execute(open_visits.insert().values(visit_id=visit_id, **entered))
    again = world_of(store)
    [(left, gym_id)] = again.left_inside
    assert (left.id, left.name, gym_id) == (member.id, member.name, world.gym_ids[1])
    assert again.members[3].last_used == int(now.timestamp())


def test_a_retired_gym_is_opened_again(store: Store) -> None:
    first = world_of(store)
    with store.writing() as connection:
        connection.execute(update(gyms).values(retired_at=system_clock()))
    world_of(store)
    with store.reading() as connection:
        query = select(gyms.c.retired_at).where(gyms.c.id == first.gym_ids[0])
        assert connection.execute(query).scalar() is None


def test_a_benchmark_has_gyms_of_its_own_each_time(store: Store) -> None:
    first, second = seeded(store), seeded(store)
    assert not set(second.gym_ids) & set(first.gym_ids)
    assert not {member.id for member in second.members} & {member.id for member in first.members}
    assert (len(second.gates), sum(len(gate.devices) for gate in second.gates)) == (6, 96)
    with store.reading() as connection:
        assert list(check_ledger(connection)) == []


def test_a_retired_world_takes_no_scans(store: Store) -> None:
    world, other = seeded(store), world_of(store)
    with store.writing() as connection:
        retire_world(connection, world, system_clock())
        retired = set(connection.execute(select(gyms.c.id).where(gyms.c.retired_at.is_not(None))).scalars())
    assert retired == set(world.gym_ids)
    assert _in_use(store) == _devices(other)


def _devices(world: World) -> set[UUID]:
    return {device.id for gate in world.gates for device in gate.devices}


def _in_use(store: Store) -> set[UUID]:
    with store.reading() as connection:
        return set(connection.execute(select(gate_devices.c.id).where(gate_devices.c.revoked_at.is_(None))).scalars())
