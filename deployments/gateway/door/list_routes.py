"""Who is inside a gym, and its scans, visits, head counts and conflicts, for its staff."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from deployments.gateway.dependencies import Deps
from deployments.gateway.door.list_schemas import (
    ConflictDocument,
    GymVisitDocument,
    HeadCountAnswerDocument,
    HeadCountDocument,
    NewHeadCount,
    Settlement,
)
from deployments.gateway.door.schemas import InsideDocument, ListedScan
from deployments.gym.door_records import DoorRecordService
from deployments.http.calendar_days import Day
from deployments.http.dependencies import CurrentUser
from deployments.http.door_replies import ask_door
from deployments.http.idempotency import IdempotencyKey, request_id_from_key
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.problems import declared
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router
from domain.door.list_model import ScanFilter
from domain.door.model import HeadCountRequest, Outcome, Reason
from domain.ids import new_id
from integrations.kafka.messages import HeadCountCommand


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("door")

    @routes.get("/gyms/{gym_id}/inside", summary="List who is inside a gym", responses=declared("unknown_gym"))
    async def inside(gym_id: UUID, deps: Deps, page: PageQuery) -> Listing[InsideDocument]:
        """List who is inside now, in the order of entry: the roll call."""
        return listing(
            raise_on_refusal(await deps.gym(DoorRecordService.inside, gym_id, page)), InsideDocument.model_validate
        )

    @routes.get("/gyms/{gym_id}/scans", summary="List the scans at a gym", responses=declared("unknown_gym"))
    async def scans(
        gym_id: UUID,
        deps: Deps,
        page: PageQuery,
        outcome: Outcome | None = None,
        reason: Reason | None = None,
        member: Annotated[UUID | None, Query(description="The member's id.")] = None,
    ) -> Listing[ListedScan]:
        """List the scans at a gym, newest first, including refused and annulled scans."""
        filters = ScanFilter(outcome, reason, member)
        return listing(raise_on_refusal(await deps.gym(DoorRecordService.scans, gym_id, filters, page)), ListedScan.of)

    @routes.get("/gyms/{gym_id}/visits", summary="List the visits at a gym", responses=declared("unknown_gym"))
    async def visits(
        gym_id: UUID,
        deps: Deps,
        page: PageQuery,
        day: Annotated[Day | None, Query(description="Of the gym's own calendar: visits that began on it.")] = None,
    ) -> Listing[GymVisitDocument]:
        """List the visits at a gym, newest first."""
        return listing(
            raise_on_refusal(await deps.gym(DoorRecordService.visits_at, gym_id, day, page)),
            GymVisitDocument.model_validate,
        )

    @routes.get("/users/{user_id}/visits", summary="List the visits of a member")
    async def visits_of(user_id: UUID, deps: Deps, page: PageQuery) -> Listing[GymVisitDocument]:
        """List the visits of a member, newest first."""
        return listing(
            await deps.gym(DoorRecordService.visits_of_member, user_id, page), GymVisitDocument.model_validate
        )

    @routes.get(
        "/gyms/{gym_id}/head-counts", summary="List the head counts at a gym", responses=declared("unknown_gym")
    )
    async def head_counts(gym_id: UUID, deps: Deps, page: PageQuery) -> Listing[HeadCountDocument]:
        """List the head counts at a gym, newest first."""
        return listing(
            raise_on_refusal(await deps.gym(DoorRecordService.head_counts, gym_id, page)),
            HeadCountDocument.model_validate,
        )

    @routes.post(
        "/gyms/{gym_id}/head-counts",
        summary="Record a head count",
        response_model=HeadCountAnswerDocument,
        responses=declared(
            *("unknown_gym", "request_id_reused", "count_not_plausible", "count_too_late"),
            *("no_answer_in_time", "not_decided"),
        ),
    )
    async def count_heads(
        gym_id: UUID,
        body: NewHeadCount,
        user: CurrentUser,
        deps: Deps,
        request: Request,
        key: IdempotencyKey = None,
    ) -> Response:
        """Correct who is inside after a head count: the oldest visits end, or visits without a name begin."""
        now = deps.clock()
        count = HeadCountRequest(
            count_id=body.count_id or request_id_from_key(request, key) or str(new_id()),
            gym_id=gym_id,
            by=user.id,
            counted=body.counted,
            reason=body.reason,
            arrived_at=now,
            decide_by=now + timedelta(seconds=deps.settings.door.deadline_s),
        )
        command = HeadCountCommand(command_id=new_id(), reply_to=deps.replies.reply_to, count=count)
        answer = await ask_door(deps, command, gym_id, count.decide_by, "head_count_answer")
        return Response(answer, media_type="application/json")

    @routes.get("/gyms/{gym_id}/conflicts", summary="List the conflicts at a gym", responses=declared("unknown_gym"))
    async def conflicts(
        gym_id: UUID,
        deps: Deps,
        page: PageQuery,
        settled: Annotated[bool, Query(description="List settled conflicts instead of open ones.")] = False,  # noqa: FBT002 - a query
    ) -> Listing[ConflictDocument]:
        """List the conflicts of offline scans, newest first."""
        found = raise_on_refusal(await deps.gym(DoorRecordService.conflicts, gym_id, settled, page))
        return listing(found, ConflictDocument.model_validate)

    @routes.post("/conflicts/{conflict_id}/settle", summary="Settle a conflict", responses=declared("unknown_conflict"))
    async def settle(conflict_id: UUID, settlement: Settlement, user: CurrentUser, deps: Deps) -> ConflictDocument:
        """Record what staff found out about a conflict. To undo its scan, annul the scan."""
        found = await deps.gym(DoorRecordService.settle_conflict, conflict_id, user.id, settlement.note)
        return ConflictDocument.model_validate(raise_on_refusal(found))

    return routes
