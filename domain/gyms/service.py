"""What admins do with gyms: create, change, retire, reopen, delete, and set opening hours."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.companies.repository import CompanyRepository
from domain.gyms.hours_repository import HoursRepository
from domain.gyms.model import UNKNOWN_GYM, Gym, GymDetails, GymProblem, GymRefusal
from domain.gyms.repository import GymRepository
from domain.gyms.rules import refuse_change
from domain.gyms.timetable import Timetable, refuse_timetable
from domain.ids import new_id


def create_gym(connection: Connection, details: GymDetails, now: datetime) -> Gym:
    """Create a gym of the company, with the next free legacy number.

    Raises:
        sqlalchemy.exc.IntegrityError: the number was taken meanwhile: roll back and try again.
    """
    company_id = CompanyRepository(connection).lock_or_create(now)
    gyms = GymRepository(connection)
    gym = Gym(**asdict(details), id=new_id(), legacy_number=gyms.next_number(), version=1)
    gyms.add(gym, company_id, now)
    return gym


def change_gym(
    connection: Connection, gym_id: UUID, changes: Mapping[str, str | int | None], expected: int | None
) -> Gym | GymRefusal:
    """Change details of a gym.

    If the capacity falls below the number of people inside, nobody may enter until some leave.

    Args:
        changes: fields of `GymDetails`, each of its type.
        expected: the version that the caller has read; None accepts any version.
    """
    gym = GymRepository(connection).locked(gym_id)
    if gym is None:
        return UNKNOWN_GYM
    if refusal := refuse_change("The gym", gym.version, expected):
        return refusal
    details = replace(gym.details, **changes)  # type: ignore[arg-type] # the schema checks it
    if details == gym.details:
        return gym
    changed = replace(gym, **asdict(details), version=gym.version + 1)
    GymRepository(connection).change(changed)
    return changed


def retire_gym(connection: Connection, gym_id: UUID, now: datetime, *, force: bool = False) -> Gym | GymRefusal:
    """Close a gym to entries. People inside can still leave. Idempotent.

    Args:
        force: retire the gym even while people are inside.
    """
    gyms = GymRepository(connection)
    gym = gyms.locked(gym_id, retired=True)
    if gym is None:
        return UNKNOWN_GYM
    # The door locks the gym too, so nobody enters between the count and the retirement.
    inside = 0 if force or gym.retired_at is not None else gyms.inside(gym_id)
    if inside:
        return GymRefusal(
            GymProblem.GYM_NOT_EMPTY,
            f"People inside: {inside}. Retire the gym after they have left, or use `force=true`: they can still leave.",
        )
    return _set_retired(gyms, gym, now)


def reopen_gym(connection: Connection, gym_id: UUID) -> Gym | GymRefusal:
    """Undo a retirement. Idempotent."""
    gyms = GymRepository(connection)
    gym = gyms.locked(gym_id, retired=True)
    return UNKNOWN_GYM if gym is None else _set_retired(gyms, gym, None)


def delete_gym(connection: Connection, gym_id: UUID, expected: int | None) -> GymRefusal | None:
    """Delete a gym that nothing refers to, such as one created by mistake. Retire any other gym instead."""
    gyms = GymRepository(connection)
    gym = gyms.locked(gym_id, retired=True)
    if gym is None:
        return UNKNOWN_GYM
    if refusal := refuse_change("The gym", gym.version, expected):
        return refusal
    if referring := gyms.referring(gym_id):
        return GymRefusal(GymProblem.GYM_IN_USE, f"The gym has {', '.join(referring)}. Retire it instead; they stay.")
    gyms.remove(gym_id)
    return None


def set_hours(connection: Connection, gym_id: UUID, timetable: Timetable, expected: int | None) -> Gym | GymRefusal:
    """Replace all opening hours of a gym. They are part of the gym, so its version rises."""
    gym = GymRepository(connection).locked(gym_id)
    if gym is None:
        return UNKNOWN_GYM
    refusal = refuse_change("The gym", gym.version, expected) or refuse_timetable(timetable)
    if refusal:
        return refusal
    changed = replace(gym, version=gym.version + 1)
    HoursRepository(connection).set(gym_id, timetable)
    GymRepository(connection).change(changed)
    return changed


def _set_retired(gyms: GymRepository, gym: Gym, retired_at: datetime | None) -> Gym:
    if (gym.retired_at is None) == (retired_at is None):
        return gym
    changed = replace(gym, retired_at=retired_at, version=gym.version + 1)
    gyms.change(changed)
    return changed
