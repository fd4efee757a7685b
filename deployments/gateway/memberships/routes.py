"""Memberships: what a member has, freezes, bans, the ledger."""

from uuid import UUID

from fastapi import APIRouter

from deployments.gateway.dependencies import OfParts
from deployments.gateway.memberships.ledger_schemas import LedgerDocument
from deployments.gateway.memberships.schemas import (
    Ban,
    MemberMembershipDocument,
    NewAdjustment,
    NewFreeze,
    ReminderChoice,
)
from deployments.http.auth import UserAsker
from deployments.http.dependencies import TheUser
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import OnceOnly
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.payments.memberships import MembershipService
from domain.identity.model import Role
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.model import MemberView
from domain.memberships.refusals import MembershipRefusal

_FREEZE_PROBLEMS = (
    *("unknown_user", "nothing_to_freeze", "already_frozen", "freeze_too_long", "membership_suspended"),
    "membership_too_long",
)


def router() -> APIRouter:
    """The calls about memberships."""
    routes = guarded_router("memberships")
    _add_reading(routes)
    _add_changing(routes)
    return routes


def _add_reading(routes: APIRouter) -> None:
    @routes.get("/me/membership", responses=declared("unknown_user"))
    async def my_membership(user: TheUser, parts: OfParts) -> MemberMembershipDocument:
        """What I have, and until when."""
        return _answered(await parts.payments(MembershipService.membership, user.id))

    @routes.put("/me/reminders", responses=declared("unknown_user"))
    async def reminders(wanted: ReminderChoice, user: TheUser, parts: OfParts) -> MemberMembershipDocument:
        """Whether I get a mail 7 days and a day before a membership ends."""
        return _answered(await parts.payments(MembershipService.set_reminders, user.id, wanted=wanted.mails))

    @routes.get("/members/{member_id}/membership", responses=declared("unknown_user"))
    async def membership(member_id: UUID, user: TheUser, parts: OfParts) -> MemberMembershipDocument:
        """What a member has: oneself, or for staff anybody."""
        _own_or_staff(user, member_id)
        return _answered(await parts.payments(MembershipService.membership, member_id))

    @routes.get("/members/{member_id}/ledger")
    async def ledger(member_id: UUID, user: TheUser, parts: OfParts, asked: Asked) -> Listing[LedgerDocument]:
        """Every change of a member's memberships, newest first: one's own, or for staff anybody's."""
        _own_or_staff(user, member_id)
        return listing(await parts.payments(MembershipService.ledger, member_id, asked), LedgerDocument.of)


def _add_changing(routes: APIRouter) -> None:
    @routes.post("/members/{member_id}/freezes", responses=declared(*_FREEZE_PROBLEMS, *KEY_PROBLEMS))
    async def freeze(
        member_id: UUID, wanted: NewFreeze, user: TheUser, parts: OfParts, once: OnceOnly
    ) -> MemberMembershipDocument:
        """Freeze for whole days: no entry, and the end moves by as many. Members within limits, admins anybody."""
        by_admin = _own_or_admin(user, member_id)
        who = BookingOrigin(user.id, wanted.reason or "asked for")
        frozen = await once(
            parts.payments, MembershipService.freeze, member_id, wanted.days, wanted.from_day, who, by_admin=by_admin
        )
        return _answered(frozen)

    @routes.delete("/members/{member_id}/freezes/current", responses=declared("unknown_user", "not_frozen"))
    async def unfreeze(member_id: UUID, user: TheUser, parts: OfParts) -> MemberMembershipDocument:
        """End a freeze, begun or not: what is left of it comes off the end."""
        _own_or_admin(user, member_id)
        return _answered(
            await parts.payments(MembershipService.unfreeze, member_id, BookingOrigin(user.id, "asked for"))
        )

    @routes.post(
        "/members/{member_id}/adjustments",
        responses=declared("unknown_user", "unknown_membership", "membership_too_long", *KEY_PROBLEMS),
    )
    async def adjust(
        member_id: UUID, wanted: NewAdjustment, user: TheUser, parts: OfParts, once: OnceOnly
    ) -> MemberMembershipDocument:
        """Give days, or take back such as are unused."""
        who = BookingOrigin(user.id, wanted.reason)
        adjusted = await once(
            parts.payments, MembershipService.adjust, member_id, wanted.membership_id, wanted.days, who
        )
        return _answered(adjusted)

    @routes.put("/members/{member_id}/ban", responses=declared("unknown_user"))
    async def ban(member_id: UUID, wanted: Ban, user: TheUser, parts: OfParts) -> MemberMembershipDocument:
        """Let somebody in nowhere any more. Once more changes nothing."""
        banned = await parts.payments(
            MembershipService.ban, member_id, BookingOrigin(user.id, wanted.reason), banned=True
        )
        return _answered(banned)

    @routes.delete("/members/{member_id}/ban", responses=declared("unknown_user"))
    async def unban(member_id: UUID, user: TheUser, parts: OfParts) -> MemberMembershipDocument:
        """Let somebody in again. Once more changes nothing."""
        who = BookingOrigin(user.id, "let in again")
        return _answered(await parts.payments(MembershipService.ban, member_id, who, banned=False))


def _own_or_staff(user: UserAsker, member_id: UUID) -> None:
    if user.id != member_id and not user.is_staff:
        raise ApiProblem("forbidden", "That is for the member and for staff.")


def _own_or_admin(user: UserAsker, member_id: UUID) -> bool:
    """Whether an admin asks; members are let through for themselves."""
    is_admin = Role.ADMIN in user.roles
    if user.id != member_id and not is_admin:
        raise ApiProblem("forbidden", "That is for the member and for the role Admin.")
    return is_admin


def _answered(view: MemberView | MembershipRefusal) -> MemberMembershipDocument:
    return MemberMembershipDocument.of(granted(view))
