"""Until when a member may enter: by the rule of the door, on each store."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from domain.companies.tables import companies
from domain.door.model import Direction, Outcome, Reason
from domain.door.service import entitled_until
from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.tables import memberships, plan_gyms, plans
from tests.world import START, World

DAY = timedelta(days=1)
ENDS_ON = date(2026, 4, 1)  # 30 days from the world's start, 2026-03-02 at noon


def until(world: World, member: UUID, gym: UUID) -> date | None:
    with world.store.reading() as connection:
        return entitled_until(connection, member, gym, world.clock())


def set_user(**values: object) -> Callable[[World, UUID, UUID], None]:
    def change(world: World, member: UUID, _gym: UUID) -> None:
        with world.store.writing() as connection:
            connection.execute(update(users).where(users.c.id == member).values(**values))

    return change


def held(**values: object) -> Callable[[World, UUID, UUID], None]:
    return lambda world, member, _gym: world.change_membership(member, **values)


def plan(**values: object) -> Callable[[World, UUID, UUID], None]:
    def change(world: World, _member: UUID, _gym: UUID) -> None:
        with world.store.writing() as connection:
            connection.execute(update(plans).values(**values))

    return change


def for_another_gym(world: World, member: UUID, _gym: UUID) -> None:
    for_this_gym(world, member, world.gym())


def for_this_gym(world: World, member: UUID, gym: UUID) -> None:
    plan(covers_all_gyms=False)(world, member, gym)
    with world.store.writing() as connection:
        connection.execute(insert(plan_gyms).values(plan_id=world.plan, gym_id=gym))


def of_another_company(world: World, _member: UUID, gym: UUID) -> None:
    company = new_id()
    with world.store.writing() as connection:
        connection.execute(insert(companies).values(id=company, name="Another", created_at=START))
    world.change_gym(gym, company_id=company)


REFUSED: dict[str, tuple[Callable[[World, UUID, UUID], None], Reason]] = {
    "frozen": (held(frozen_from=START - DAY, frozen_until=START + DAY), Reason.MEMBERSHIP_FROZEN),
    "frozen until further notice": (held(frozen_from=START - DAY), Reason.MEMBERSHIP_FROZEN),
    "in arrears": (held(in_arrears_since=START - DAY), Reason.IN_ARREARS),
    "not begun": (held(starts_at=START + DAY), Reason.NO_MEMBERSHIP),
    "ended, and its grace is over": (held(ends_at=START - 3 * DAY), Reason.MEMBERSHIP_ENDED),
    "ended without grace": (held(ends_at=START, without_grace=True), Reason.MEMBERSHIP_ENDED),
    "good for another gym": (for_another_gym, Reason.WRONG_GYM),
    "of another company": (of_another_company, Reason.WRONG_GYM),
    "banned": (set_user(banned_at=START), Reason.BANNED),
    "disabled": (set_user(disabled_at=START), Reason.BANNED),
    "deleted": (set_user(deleted_at=START), Reason.UNKNOWN_PASS),
}
ADMITTED: dict[str, Callable[[World, UUID, UUID], None]] = {
    "good": lambda *_: None,
    "to be frozen tomorrow": held(frozen_from=START + DAY),
    "frozen until now": held(frozen_from=START - DAY, frozen_until=START),
    "good for this gym alone": for_this_gym,
    "of a plan that is sold no more": plan(retired_at=START),
}


def entering(world: World, member: UUID, gym: UUID) -> tuple[Outcome, Reason | None]:
    answer = world.answer(world.scan(gym, world.code(member), Direction.ENTER))
    return answer.outcome, answer.reason


@pytest.mark.parametrize("case", REFUSED)
def test_whoever_the_door_refuses_has_no_date(world: World, case: str) -> None:
    change, reason = REFUSED[case]
    gym, member = world.gym(), world.member()
    change(world, member, gym)
    assert until(world, member, gym) is None
    assert entering(world, member, gym) == (Outcome.REFUSED, reason)


@pytest.mark.parametrize("case", ADMITTED)
def test_whoever_the_door_admits_has_the_end_of_what_admits_them(world: World, case: str) -> None:
    gym, member = world.gym(), world.member()
    ADMITTED[case](world, member, gym)
    assert until(world, member, gym) == ENDS_ON
    assert entering(world, member, gym) == (Outcome.ENTERED, None)


def test_in_its_days_of_grace_a_membership_still_has_its_end(world: World) -> None:
    gym, member = world.gym(), world.member(days=-2)
    assert until(world, member, gym) == date(2026, 2, 28)
    assert entering(world, member, gym) == (Outcome.ENTERED, None)


def test_who_has_nothing_or_is_nobody_has_no_date(world: World) -> None:
    gym, member = world.gym(), world.member()
    assert until(world, world.newcomer(), gym) is None
    assert until(world, new_id(), gym) is None
    assert until(world, member, new_id()) is None


def test_of_several_the_longest_that_admits_counts_in_its_own_days(world: World) -> None:
    gym, member = world.gym(), world.member()

    def add(**values: Any) -> None:  # noqa: ANN401 - any column
        row = {"id": new_id(), "member_id": member, "plan_id": world.plan, "created_at": START}
        row |= {"starts_at": START - DAY, "ends_at": START + 40 * DAY}
        with world.store.writing() as connection:
            connection.execute(insert(memberships).values(**(row | values)))

    add(starts_at=START + DAY, ends_at=START + 400 * DAY)
    add(in_arrears_since=START, ends_at=START + 300 * DAY)
    assert until(world, member, gym) == ENDS_ON
    # Where its days are counted it ends at midnight, which is 12:00 the day before in UTC.
    add(ends_at=START + 60 * DAY, time_zone="Pacific/Auckland")
    assert until(world, member, gym) == date(2026, 5, 2)


def test_hours_places_and_a_used_code_say_nothing_about_the_member(world: World) -> None:
    gym, (one, other) = world.gym(capacity=1), world.members(2)
    assert entering(world, one, gym) == (Outcome.ENTERED, None)
    assert entering(world, other, gym) == (Outcome.REFUSED, Reason.GYM_FULL)
    assert until(world, one, gym) == until(world, other, gym) == ENDS_ON
