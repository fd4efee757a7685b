"""Plans, and the company that sells them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.memberships.plan_schemas import (
    CompanyChanges,
    CompanyDocument,
    NewPlan,
    PlanChanges,
    PlanDocument,
)
from deployments.http.etags import PROBLEMS, ExpectedVersion, tagged
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import OnceOnly
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.payments.plans import CompanyService, PlanService
from domain.memberships.plans import Plan


def router() -> APIRouter:
    """The calls about plans."""
    routes = guarded_router("plans")

    @routes.get("/plans")
    async def plans(
        parts: OfParts,
        asked: Asked,
        retired: Annotated[bool, Query(description="Those that are not sold any more instead.")] = False,  # noqa: FBT002 - a query
    ) -> Listing[PlanDocument]:
        """What is sold."""
        return listing(await parts.payments(PlanService.plans, asked, retired=retired), PlanDocument.of)

    @routes.get("/plans/{plan_id}", responses=declared("unknown_plan"))
    async def plan(plan_id: UUID, parts: OfParts, response: Response) -> PlanDocument:
        """One plan, retired or not."""
        found = await parts.payments(PlanService.plan, plan_id)
        if found is None:
            raise ApiProblem("unknown_plan", "There is no such plan.")
        return _answered(found, response)

    @routes.post("/plans", status_code=201, responses=declared("unknown_gym", "price_not_payable", *KEY_PROBLEMS))
    async def create_plan(wanted: NewPlan, parts: OfParts, response: Response, once: OnceOnly) -> PlanDocument:
        """Sell a plan from now on."""
        return _answered(granted(await once(parts.payments, PlanService.create, wanted.details())), response)

    @routes.patch(
        "/plans/{plan_id}",
        responses=declared("unknown_plan", "unknown_gym", "plan_sold", "price_not_payable", *PROBLEMS),
    )
    async def change_plan(
        plan_id: UUID, expected: ExpectedVersion, wanted: PlanChanges, parts: OfParts, response: Response
    ) -> PlanDocument:
        """Change a plan for those who buy it from now on; what was sold stays as it was sold."""
        changed = await parts.payments(PlanService.change, plan_id, wanted.changes(), expected)
        return _answered(granted(changed), response)

    @routes.delete("/plans/{plan_id}", status_code=204, responses=declared("unknown_plan", *PROBLEMS))
    async def retire_plan(plan_id: UUID, expected: ExpectedVersion, parts: OfParts) -> Response:
        """Sell a plan no more; those who have it keep it. Once more changes nothing."""
        granted(await parts.payments(PlanService.retire, plan_id, expected))
        return Response(status_code=204)

    @routes.post("/plans/{plan_id}/reopen", responses=declared("unknown_plan"))
    async def reopen_plan(plan_id: UUID, parts: OfParts, response: Response) -> PlanDocument:
        """Sell a retired plan again. Once more changes nothing."""
        return _answered(granted(await parts.payments(PlanService.reopen, plan_id)), response)

    @routes.get("/company")
    async def company(parts: OfParts) -> CompanyDocument:
        """Who sells, as it stands on invoices."""
        return CompanyDocument.model_validate(await parts.payments(CompanyService.company))

    @routes.patch("/company")
    async def change_company(wanted: CompanyChanges, parts: OfParts) -> CompanyDocument:
        """Change what stands on invoices from now on; what is left out stays."""
        return CompanyDocument.model_validate(await parts.payments(CompanyService.change, wanted.changes()))

    return routes


def _answered(plan: Plan, response: Response) -> PlanDocument:
    tagged(response, plan.version)
    return PlanDocument.of(plan)
