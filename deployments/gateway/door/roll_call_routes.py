"""The roll call as a page, a table and a PDF."""

import asyncio
from uuid import UUID

from fastapi import APIRouter, Response

from deployments.gateway.dependencies import Deps
from deployments.gateway.door.roll_call_sheets import POLICY, page, sheet, table
from deployments.gym.door_records import DoorRecordService
from deployments.http.problems import declared
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_PROBLEMS = declared("unknown_gym")


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("door")

    @routes.get(
        "/gyms/{gym_id}/inside.html",
        summary="Get the roll call as HTML",
        response_class=Response,
        responses={200: {"content": {"text/html": _TEXT}}, **_PROBLEMS},
    )
    async def roll_call_html(gym_id: UUID, deps: Deps) -> Response:
        """Get the roll call as a printable page."""
        as_of, call = deps.clock(), raise_on_refusal(await deps.gym(DoorRecordService.roll_call, gym_id))
        content = await asyncio.to_thread(page, call, as_of)
        return Response(content, media_type="text/html", headers={"Content-Security-Policy": POLICY})

    @routes.get(
        "/gyms/{gym_id}/inside.csv",
        summary="Get the roll call as CSV",
        response_class=Response,
        responses={200: {"content": {"text/csv": _TEXT}}, **_PROBLEMS},
    )
    async def roll_call_csv(gym_id: UUID, deps: Deps) -> Response:
        """Get the roll call as CSV."""
        content = await asyncio.to_thread(table, raise_on_refusal(await deps.gym(DoorRecordService.roll_call, gym_id)))
        return Response(content, media_type="text/csv", headers=_named("csv"))

    @routes.get(
        "/gyms/{gym_id}/inside.pdf",
        summary="Get the roll call as PDF",
        response_class=Response,
        responses={200: {"content": {"application/pdf": _BINARY}}, **_PROBLEMS},
    )
    async def roll_call_pdf(gym_id: UUID, deps: Deps) -> Response:
        """Get the roll call as a PDF."""
        as_of, call = deps.clock(), raise_on_refusal(await deps.gym(DoorRecordService.roll_call, gym_id))
        content = await asyncio.to_thread(sheet, call, as_of)
        return Response(content, media_type="application/pdf", headers=_named("pdf"))

    return routes


def _named(suffix: str) -> dict[str, str]:
    return {"Content-Disposition": f'inline; filename="roll-call.{suffix}"'}
