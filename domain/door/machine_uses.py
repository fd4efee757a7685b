"""Machines and their uses, as the door reads and writes them; gym and member are locked before."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from domain.door.events import DoorEvent, MachineFreed
from domain.door.machine_model import MachineAnswer, MachineRequest, OpenUse, UseEnded
from domain.door.tables import machine_requests, machine_uses, open_machine_uses
from domain.ids import new_id
from domain.machines.tables import machines

_OPEN = (
    open_machine_uses.c.use_id,
    open_machine_uses.c.machine_id,
    open_machine_uses.c.gym_id,
    open_machine_uses.c.member_id,
    open_machine_uses.c.visit_id,
    open_machine_uses.c.started_at,
)


class MachineUses:
    """Questions and changes within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def works(self, machine_id: UUID, gym_id: UUID) -> bool | None:
        """Whether a machine of the gym can be used; None: there is no such machine."""
        row = self._connection.execute(
            select(machines.c.retired_at, machines.c.out_of_order_since).where(
                machines.c.id == machine_id, machines.c.gym_id == gym_id
            )
        ).one_or_none()
        return None if row is None else row.retired_at is None and row.out_of_order_since is None

    def of_machine(self, machine_id: UUID) -> OpenUse | None:
        """Its open use."""
        return self._one(machine_id, open_machine_uses.c.machine_id)

    def of_member(self, member_id: UUID) -> OpenUse | None:
        """Their open use, of whichever machine."""
        return self._one(member_id, open_machine_uses.c.member_id)

    def of_visits(self, visit_ids: Collection[UUID]) -> list[OpenUse]:
        """The open uses of these visits."""
        rows = self._connection.execute(select(*_OPEN).where(open_machine_uses.c.visit_id.in_(visit_ids)))
        return [OpenUse(*row) for row in rows]

    def at_gym(self, gym_id: UUID, started_before: datetime) -> list[OpenUse]:
        """The open uses of a gym that began before a moment."""
        rows = self._connection.execute(
            select(*_OPEN).where(open_machine_uses.c.gym_id == gym_id, open_machine_uses.c.started_at < started_before)
        )
        return [OpenUse(*row) for row in rows]

    def begin(self, use: OpenUse) -> None:
        """A use begins."""
        self._connection.execute(
            insert(machine_uses).values(
                id=use.use_id,
                machine_id=use.machine_id,
                gym_id=use.gym_id,
                member_id=use.member_id,
                visit_id=use.visit_id,
                started_at=use.started_at,
            )
        )
        self._open(use)

    def end(
        self, uses: Sequence[OpenUse], ended_at: datetime, inferred: UseEnded | None
    ) -> list[tuple[UUID, DoorEvent]]:
        """Uses end.

        Returns:
            What is to be told of it, by gym.
        """
        if not uses:
            return []
        ids = [use.use_id for use in uses]
        self._connection.execute(
            update(machine_uses)
            .where(machine_uses.c.id.in_(ids))
            .values(ended_at=ended_at, inferred=inferred and inferred.value)
        )
        for use in uses:  # each row by its key alone, as in `DoorRepository`
            self._connection.execute(delete(open_machine_uses).where(open_machine_uses.c.machine_id == use.machine_id))
        return [
            (use.gym_id, MachineFreed(new_id(), use.gym_id, use.machine_id, use.use_id, inferred, ended_at))
            for use in uses
        ]

    def resume(self, visit_id: UUID, left_at: datetime) -> None:
        """The visit goes on: the use that its end had ended goes on as well, if the machine is still there for it.

        Args:
            left_at: when the visit had ended; of an exit that was uploaded, before the use was ended.
        """
        row = self._connection.execute(
            select(machine_uses)
            .where(
                machine_uses.c.visit_id == visit_id,
                machine_uses.c.ended_at >= left_at,
                machine_uses.c.inferred == UseEnded.LEFT_GYM.value,
            )
            .order_by(machine_uses.c.ended_at.desc())
            .limit(1)
        ).one_or_none()
        if row is None or row.member_id is None or not self.works(row.machine_id, row.gym_id):
            return
        if self.of_machine(row.machine_id) is None and self.of_member(row.member_id) is None:
            self._connection.execute(
                update(machine_uses).where(machine_uses.c.id == row.id).values(ended_at=None, inferred=None)
            )
            self._open(OpenUse(row.id, row.machine_id, row.gym_id, row.member_id, visit_id, row.started_at))

    def known(self, request: MachineRequest) -> Row[Any] | None:
        """The same request, decided before."""
        return self._connection.execute(
            select(machine_requests).where(
                machine_requests.c.request_id == request.request_id, machine_requests.c.asked_by == request.asked_by
            )
        ).one_or_none()

    def keep(self, request: MachineRequest, answer: MachineAnswer) -> None:
        """Keep a request with its answer."""
        self._connection.execute(
            insert(machine_requests).values(
                id=new_id(),
                request_id=request.request_id,
                asked_by=request.asked_by,
                gym_id=request.gym_id,
                machine_id=request.machine_id,
                member_id=request.member_id,
                action=request.action.value,
                arrived_at=request.arrived_at,
                decided_at=answer.decided_at,
                outcome=answer.outcome.value,
                reason=answer.reason and answer.reason.value,
                use_id=answer.use_id,
            )
        )

    def _one(self, id_: UUID, column: Any) -> OpenUse | None:  # noqa: ANN401 - SQLAlchemy's own
        row = self._connection.execute(select(*_OPEN).where(column == id_)).one_or_none()
        return OpenUse(*row) if row else None

    def _open(self, use: OpenUse) -> None:
        self._connection.execute(
            insert(open_machine_uses).values(
                machine_id=use.machine_id,
                use_id=use.use_id,
                gym_id=use.gym_id,
                member_id=use.member_id,
                visit_id=use.visit_id,
                started_at=use.started_at,
            )
        )
