"""Machines and their uses in the database. The gym and the member are locked before."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, delete, insert, select, update

from domain.door.events import TOPIC
from domain.door.machine_model import (
    EndedUse,
    MachineAction,
    MachineAnswer,
    MachineRequest,
    OpenUse,
    PastUse,
    UseEnded,
    UseOutcome,
    UseReason,
)
from domain.door.machine_rules import MachineChanges, MachineState, StoredMachineRequest
from domain.door.tables import machine_requests, machine_uses, open_machine_uses, open_visits
from domain.ids import new_id
from domain.machines.tables import machines
from domain.outbox import store_events

_OPEN_USE = (
    open_machine_uses.c.use_id,
    open_machine_uses.c.machine_id,
    open_machine_uses.c.gym_id,
    open_machine_uses.c.member_id,
    open_machine_uses.c.visit_id,
    open_machine_uses.c.started_at,
)


class MachineUseRepository:
    """Loads and saves machines, their uses and the requests about them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load(self, request: MachineRequest) -> MachineState:
        """Load what the decision about a request needs."""
        stored = self._stored(request)
        if stored is not None:
            return MachineState(stored=stored)
        machine = self._connection.execute(
            select(machines.c.retired_at, machines.c.out_of_order_since).where(
                machines.c.id == request.machine_id, machines.c.gym_id == request.gym_id
            )
        ).one_or_none()
        if machine is None:
            return MachineState()
        visit_id = self._connection.execute(
            select(open_visits.c.visit_id).where(
                open_visits.c.member_id == request.member_id, open_visits.c.gym_id == request.gym_id
            )
        ).scalar()
        uses = self._connection.execute(
            select(*_OPEN_USE).where(
                (open_machine_uses.c.machine_id == request.machine_id)
                | (open_machine_uses.c.member_id == request.member_id)
            )
        )
        open_uses = [OpenUse(*row) for row in uses]
        return MachineState(
            works=machine.retired_at is None and machine.out_of_order_since is None,
            machine_use=next((use for use in open_uses if use.machine_id == request.machine_id), None),
            visit_id=visit_id,
            member_use=next((use for use in open_uses if use.member_id == request.member_id), None),
        )

    def save(self, changes: MachineChanges, now: datetime) -> None:
        """Write what a decision changed."""
        if changes.begun is not None:
            self._begin(changes.begun)
        self.end(changes.ended)
        if changes.request is not None and changes.answer is not None:
            self._add_request(changes.request, changes.answer)
        store_events(self._connection, TOPIC, [(event.gym_id, event) for event in changes.events], now)

    def uses_at(self, gym_id: UUID) -> list[OpenUse]:
        """All open uses at a gym."""
        return [
            OpenUse(*row)
            for row in self._connection.execute(select(*_OPEN_USE).where(open_machine_uses.c.gym_id == gym_id))
        ]

    def use_of(self, member_id: UUID) -> OpenUse | None:
        """A member's open use, of any machine."""
        row = self._connection.execute(
            select(*_OPEN_USE).where(open_machine_uses.c.member_id == member_id)
        ).one_or_none()
        return OpenUse(*row) if row else None

    def uses_ended_by_exit(self, visit_ids: Collection[UUID]) -> list[PastUse]:
        """Uses that ended because their visits ended, the latest first."""
        if not visit_ids:
            return []
        uses, open_now = machine_uses.c, open_machine_uses.c
        rows = self._connection.execute(
            select(
                *(uses.id, uses.machine_id, uses.gym_id, uses.member_id, uses.visit_id, uses.started_at),
                *(uses.ended_at, machines.c.retired_at, machines.c.out_of_order_since, open_now.use_id),
            )
            .join(machines, and_(machines.c.id == uses.machine_id, machines.c.gym_id == uses.gym_id))
            .outerjoin(open_machine_uses, open_now.machine_id == uses.machine_id)
            .where(
                uses.visit_id.in_(visit_ids),
                uses.ended_at.is_not(None),
                uses.inferred == UseEnded.LEFT_GYM.value,
                uses.member_id.is_not(None),
            )
            .order_by(uses.ended_at.desc())
        )
        return [
            PastUse(
                OpenUse(*row[:6]),
                ended_at=row.ended_at,
                works=row.retired_at is None and row.out_of_order_since is None,
                replaced_by=row.use_id,
            )
            for row in rows
        ]

    def end(self, ended: Iterable[EndedUse]) -> None:
        """End uses."""
        together: dict[tuple[datetime, UseEnded | None], list[OpenUse]] = defaultdict(list)
        for end in ended:
            together[end.ended_at, end.inferred].append(end.use)
        for (ended_at, inferred), uses in together.items():
            self._connection.execute(
                update(machine_uses)
                .where(machine_uses.c.id.in_([use.use_id for use in uses]))
                .values(ended_at=ended_at, inferred=inferred and inferred.value)
            )
            self._close(uses)

    def resume(self, use: OpenUse) -> None:
        """Continue a use that had ended."""
        self._connection.execute(
            update(machine_uses).where(machine_uses.c.id == use.use_id).values(ended_at=None, inferred=None)
        )
        self._open(use)

    def _stored(self, request: MachineRequest) -> StoredMachineRequest | None:
        row = self._connection.execute(
            select(machine_requests).where(
                machine_requests.c.request_id == request.request_id, machine_requests.c.asked_by == request.asked_by
            )
        ).one_or_none()
        if row is None:
            return None
        answer = MachineAnswer(
            request_id=row.request_id,
            outcome=UseOutcome(row.outcome),
            reason=UseReason(row.reason) if row.reason else None,
            machine_id=row.machine_id,
            member_id=row.member_id,
            gym_id=row.gym_id,
            use_id=row.use_id,
            decided_at=row.decided_at,
            replayed=False,
        )
        return StoredMachineRequest(MachineAction(row.action), answer)

    def _begin(self, use: OpenUse) -> None:
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

    def _open(self, use: OpenUse) -> None:
        self._connection.execute(insert(open_machine_uses).values(asdict(use)))

    def _close(self, uses: Sequence[OpenUse]) -> None:
        # One row at a time by its key: with `IN (…)` the server also waits for locked rows beside these.
        for use in uses:
            self._connection.execute(delete(open_machine_uses).where(open_machine_uses.c.machine_id == use.machine_id))

    def _add_request(self, request: MachineRequest, answer: MachineAnswer) -> None:
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
