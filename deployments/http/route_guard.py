"""Every route passes here before anything of it is read."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from deployments.http.auth import Callers, DeviceAsker, permit
from deployments.http.client_addresses import ClientSource, client_of
from deployments.http.problems import ApiProblem, later
from deployments.http.rate_limits import RateLimit
from deployments.http.rights import Right
from integrations.settings import ApiSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """What an application's routes are guarded with.

    Args:
        rights: who may call what.
        callers: who is asking.
        rate, anonymous_rate: how often a user may ask, and a network address without a token may try.
        source: where the client's address is read.
        seen: told of each device that asks: a door at which nobody scans may still show that it is there.
    """

    rights: Mapping[tuple[str, str], Right]
    callers: Callers
    rate: RateLimit
    anonymous_rate: RateLimit
    source: ClientSource
    seen: Callable[[UUID], None] | None = None

    @classmethod
    def of(
        cls,
        rights: Mapping[tuple[str, str], Right],
        callers: Callers,
        settings: ApiSettings,
        *,
        seen: Callable[[UUID], None] | None = None,
    ) -> "Gatekeeper":
        """With the limits of the settings."""
        return cls(
            rights,
            callers,
            RateLimit(settings.requests_per_user_per_second),
            RateLimit(settings.sign_ins_per_address_per_second),
            ClientSource.of(settings),
            seen,
        )


class GuardedRoute(APIRoute):
    """Looks the route up in the table of rights; whoever has none learns nothing of what the call would say."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, behind the guard."""
        unguarded = super().get_route_handler()
        path = self.path_format

        async def guarded(request: Request) -> Response:
            keeper: Gatekeeper = request.app.state.gatekeeper
            right = keeper.rights.get((request.method, path))
            if right is None:
                _log.error("route_without_right", method=request.method, path=path)
                raise ApiProblem("forbidden", "Nobody may call this.")
            client = client_of(request, keeper.source)
            request.state.client = client
            if right.public:
                if right.tries:
                    _hold_off(keeper.anonymous_rate.take(client.network))
            else:
                asker = await keeper.callers.identify(request.headers.get("authorization"), client)
                permit(asker, right)
                _hold_off(keeper.rate.take(asker.id))
                request.state.asker = asker
                if keeper.seen is not None and isinstance(asker, DeviceAsker):
                    keeper.seen(asker.id)
            return await unguarded(request)

        return guarded


def guarded_router(tag: str) -> APIRouter:
    """A router whose every route is guarded."""
    return APIRouter(tags=[tag], route_class=GuardedRoute)


def _hold_off(wait_s: float) -> None:
    if wait_s:
        raise later("too_many_requests", "Requests come faster than they may.", seconds=int(wait_s) + 1)
