"""Plans, the company that sells them, and memberships: freezes, adjustments, bans and the ledger."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from deployments.gateway.dependencies import Deps
from deployments.gateway.memberships.schemas import (
    Ban,
    CompanyChanges,
    CompanyDocument,
    LedgerDocument,
    MemberMembershipDocument,
    NewAdjustment,
    NewFreeze,
    NewPlan,
    PlanChanges,
    PlanDocument,
    ReminderChoice,
)
from deployments.http.auth import UserPrincipal
from deployments.http.dependencies import CurrentUser
from deployments.http.etags import ExpectedVersion, with_etag
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import Idempotent
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import found, raise_on_refusal
from deployments.http.route_guard import guarded_router
from deployments.payments.memberships import MembershipService
from deployments.payments.plans import CompanyService, PlanService
from domain.identity.model import Role
from domain.memberships.booked_membership import BookingOrigin

plans_router = guarded_router("memberships")
memberships_router = guarded_router("memberships")


@plans_router.get("/plans", summary="List plans")
async def plans(
    deps: Deps,
    page: PageQuery,
    *,
    retired: Annotated[bool, Query(description="List the retired plans instead.")] = False,
) -> Listing[PlanDocument]:
    """List the plans for sale."""
    return listing(await deps.payments(PlanService.plans, page, retired=retired), PlanDocument.of)


@plans_router.get("/plans/{plan_id}", summary="Get a plan", responses=declared("unknown_plan"))
async def plan(plan_id: UUID, deps: Deps, response: Response) -> PlanDocument:
    """Get a plan, retired or not."""
    shown = found(await deps.payments(PlanService.plan, plan_id), "unknown_plan")
    return with_etag(PlanDocument.of(shown), response)


@plans_router.post(
    "/plans",
    summary="Create a plan",
    status_code=201,
    responses=declared("unknown_gym", "price_not_payable", *KEY_PROBLEMS),
)
async def create_plan(new: NewPlan, deps: Deps, response: Response, once: Idempotent) -> PlanDocument:
    """Create a plan. It is for sale at once."""
    created = raise_on_refusal(await once(deps.payments, PlanService.create, new.details()))
    return with_etag(PlanDocument.of(created), response)


@plans_router.patch(
    "/plans/{plan_id}",
    summary="Change a plan",
    responses=declared("unknown_plan", "unknown_gym", "plan_sold", "price_not_payable"),
)
async def change_plan(
    plan_id: UUID, expected: ExpectedVersion, new: PlanChanges, deps: Deps, response: Response
) -> PlanDocument:
    """Change a plan for future buyers. What was already sold does not change."""
    changed = raise_on_refusal(await deps.payments(PlanService.change, plan_id, new.changes(), expected))
    return with_etag(PlanDocument.of(changed), response)


@plans_router.delete("/plans/{plan_id}", summary="Retire a plan", status_code=204, responses=declared("unknown_plan"))
async def retire_plan(plan_id: UUID, expected: ExpectedVersion, deps: Deps) -> Response:
    """Stop selling a plan. Members who bought it keep it. Idempotent."""
    raise_on_refusal(await deps.payments(PlanService.retire, plan_id, expected))
    return Response(status_code=204)


@plans_router.post("/plans/{plan_id}/reopen", summary="Reopen a plan", responses=declared("unknown_plan"))
async def reopen_plan(plan_id: UUID, deps: Deps, response: Response) -> PlanDocument:
    """Sell a retired plan again. Idempotent."""
    reopened = raise_on_refusal(await deps.payments(PlanService.reopen, plan_id))
    return with_etag(PlanDocument.of(reopened), response)


@plans_router.get("/company", summary="Get the company")
async def company(deps: Deps) -> CompanyDocument:
    """Get the company, as invoices name it."""
    return CompanyDocument.model_validate(await deps.payments(CompanyService.company))


@plans_router.patch("/company", summary="Change the company")
async def change_company(new: CompanyChanges, deps: Deps) -> CompanyDocument:
    """Change the company on future invoices."""
    return CompanyDocument.model_validate(await deps.payments(CompanyService.change, new.changes()))


@memberships_router.get("/me/membership", summary="Get my memberships", responses=declared("unknown_user"))
async def my_membership(user: CurrentUser, deps: Deps) -> MemberMembershipDocument:
    """Get my memberships."""
    return MemberMembershipDocument.of(raise_on_refusal(await deps.payments(MembershipService.membership, user.id)))


@memberships_router.put("/me/reminders", summary="Set my reminders", responses=declared("unknown_user"))
async def reminders(choice: ReminderChoice, user: CurrentUser, deps: Deps) -> MemberMembershipDocument:
    """Choose whether I get e-mails seven days and one day before a membership ends."""
    view = await deps.payments(MembershipService.set_reminders, user.id, wanted=choice.mails)
    return MemberMembershipDocument.of(raise_on_refusal(view))


@memberships_router.get(
    "/members/{member_id}/membership", summary="Get the memberships of a member", responses=declared("unknown_user")
)
async def membership(member_id: UUID, user: CurrentUser, deps: Deps) -> MemberMembershipDocument:
    """Get the memberships of a member: one's own, or as staff those of any member."""
    _require_self_or_staff(user, member_id)
    return MemberMembershipDocument.of(raise_on_refusal(await deps.payments(MembershipService.membership, member_id)))


@memberships_router.get("/members/{member_id}/ledger", summary="List the ledger of a member")
async def ledger(member_id: UUID, user: CurrentUser, deps: Deps, page: PageQuery) -> Listing[LedgerDocument]:
    """List all changes of a member's memberships, newest first: one's own, or as staff those of any member."""
    _require_self_or_staff(user, member_id)
    return listing(await deps.payments(MembershipService.ledger, member_id, page), LedgerDocument.of)


@memberships_router.post(
    "/members/{member_id}/freezes",
    summary="Freeze a membership",
    responses=declared(
        *("unknown_user", "nothing_to_freeze", "already_frozen", "freeze_too_long", "membership_suspended"),
        *("membership_too_long", *KEY_PROBLEMS),
    ),
)
async def freeze(
    member_id: UUID, new: NewFreeze, user: CurrentUser, deps: Deps, once: Idempotent
) -> MemberMembershipDocument:
    """Freeze a membership for whole days: no entry, and the end moves by as many days.

    Members can freeze their own membership within limits; an admin can freeze any membership without limits.
    """
    by_admin = _require_self_or_admin(user, member_id)
    who = BookingOrigin(user.id, new.reason or "on request")
    view = await once(
        deps.payments, MembershipService.freeze, member_id, new.days, new.from_day, who, by_admin=by_admin
    )
    return MemberMembershipDocument.of(raise_on_refusal(view))


@memberships_router.delete(
    "/members/{member_id}/freezes/current", summary="End a freeze", responses=declared("unknown_user", "not_frozen")
)
async def unfreeze(member_id: UUID, user: CurrentUser, deps: Deps) -> MemberMembershipDocument:
    """End a freeze, or cancel one that has not started. The end of the membership moves back by the unused days."""
    _require_self_or_admin(user, member_id)
    view = await deps.payments(MembershipService.unfreeze, member_id, BookingOrigin(user.id, "on request"))
    return MemberMembershipDocument.of(raise_on_refusal(view))


@memberships_router.post(
    "/members/{member_id}/adjustments",
    summary="Adjust a membership",
    responses=declared("unknown_user", "unknown_membership", "membership_too_long", *KEY_PROBLEMS),
)
async def adjust(
    member_id: UUID, new: NewAdjustment, user: CurrentUser, deps: Deps, once: Idempotent
) -> MemberMembershipDocument:
    """Add days to a membership, or remove unused days."""
    who = BookingOrigin(user.id, new.reason)
    view = await once(deps.payments, MembershipService.adjust, member_id, new.membership_id, new.days, who)
    return MemberMembershipDocument.of(raise_on_refusal(view))


@memberships_router.put("/members/{member_id}/ban", summary="Ban a member", responses=declared("unknown_user"))
async def ban(member_id: UUID, why: Ban, user: CurrentUser, deps: Deps) -> MemberMembershipDocument:
    """Ban a member from all gyms. Idempotent."""
    view = await deps.payments(MembershipService.ban, member_id, BookingOrigin(user.id, why.reason), banned=True)
    return MemberMembershipDocument.of(raise_on_refusal(view))


@memberships_router.delete("/members/{member_id}/ban", summary="Lift a ban", responses=declared("unknown_user"))
async def unban(member_id: UUID, user: CurrentUser, deps: Deps) -> MemberMembershipDocument:
    """Lift the ban of a member. Idempotent."""
    view = await deps.payments(MembershipService.ban, member_id, BookingOrigin(user.id, "ban lifted"), banned=False)
    return MemberMembershipDocument.of(raise_on_refusal(view))


def _require_self_or_staff(user: UserPrincipal, member_id: UUID) -> None:
    if user.id != member_id and not user.is_staff:
        raise ApiProblem("forbidden", "Only the member and staff may do this.")


def _require_self_or_admin(user: UserPrincipal, member_id: UUID) -> bool:
    """Whether the caller is an admin.

    Raises:
        ApiProblem: `forbidden`: the caller is neither the member nor an admin.
    """
    is_admin = Role.ADMIN in user.roles
    if user.id != member_id and not is_admin:
        raise ApiProblem("forbidden", "Only the member and users with the role Admin may do this.")
    return is_admin
