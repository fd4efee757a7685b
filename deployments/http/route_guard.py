"""Checks authentication, rights and rate limits of every route before the request is parsed."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from deployments.http.auth import Authenticator, DevicePrincipal, require_right
from deployments.http.client_addresses import ClientSource, client_of
from deployments.http.problems import ApiProblem, retryable
from deployments.http.rate_limits import RateLimit
from deployments.http.rights import Right
from integrations.settings import ApiSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RouteGuard:
    """What the routes of an application are guarded with.

    Args:
        rights: the table of rights.
        authenticator: authenticates.
        rate, anonymous_rate: rate limits per user, and per network address without a token.
        source: how to find the client's address.
        on_device: called with the id of each device, so that an idle door is known to be alive.
    """

    rights: Mapping[tuple[str, str], Right]
    authenticator: Authenticator
    rate: RateLimit
    anonymous_rate: RateLimit
    source: ClientSource
    on_device: Callable[[UUID], None] | None = None

    @classmethod
    def of(
        cls,
        rights: Mapping[tuple[str, str], Right],
        authenticator: Authenticator,
        settings: ApiSettings,
        *,
        on_device: Callable[[UUID], None] | None = None,
    ) -> "RouteGuard":
        """With the configured limits."""
        return cls(
            rights,
            authenticator,
            RateLimit(settings.requests_per_user_per_second),
            RateLimit(settings.sign_ins_per_address_per_second),
            ClientSource.of(settings),
            on_device,
        )


class GuardedRoute(APIRoute):
    """Looks up the route in the table of rights. A client without the right learns nothing about the result."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the guard."""
        unguarded = super().get_route_handler()
        path = self.path_format

        async def guarded(request: Request) -> Response:
            guard: RouteGuard = request.app.state.guard
            right = guard.rights.get((request.method, path))
            if right is None:
                _log.error("route_without_right", method=request.method, path=path)
                raise ApiProblem("forbidden", "Permission denied.")
            client = client_of(request, guard.source)
            request.state.client = client
            if right.public:
                if right.tries:
                    _hold_off(guard.anonymous_rate.take(client.network))
            else:
                principal = await guard.authenticator.identify(request.headers.get("authorization"), client)
                require_right(principal, right)
                _hold_off(guard.rate.take(principal.id))
                request.state.principal = principal
                if guard.on_device is not None and isinstance(principal, DevicePrincipal):
                    guard.on_device(principal.id)
            return await unguarded(request)

        return guarded


def guarded_router(tag: str) -> APIRouter:
    """A router with guarded routes."""
    return APIRouter(tags=[tag], route_class=GuardedRoute)


def _hold_off(wait_s: float) -> None:
    if wait_s:
        raise retryable("too_many_requests", "Rate limit exceeded.", seconds=int(wait_s) + 1)
