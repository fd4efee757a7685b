"""Assembles the live view from its dependencies."""

import asyncio
from dataclasses import dataclass

from deployments.http.asgi import AsgiApplication, RequestLimits
from deployments.http.auth import open_authenticator
from deployments.http.background_tasks import Lifespan, Step
from deployments.http.confirmed_cache import USUAL, Freshness
from deployments.http.fastapi_app import guarded_app
from deployments.http.ports import GymClient, IdentityClient, VerifiesTokens
from deployments.http.route_guard import RouteGuard
from deployments.live import routes as stream_calls
from deployments.live.dependencies import LiveDependencies
from deployments.live.gym_watch import Events, Pace, Sources
from deployments.live.hub import Hub
from deployments.live.metrics import LiveMetrics
from deployments.live.rights import LIVE_RIGHTS, WATCHING
from deployments.live.watchers import Watchers
from domain.clock import Clock
from integrations.metrics_registry import MetricsRegistry
from integrations.settings import Settings

READ_AT_ONCE = 2
"""Gym has eight threads, and doors have priority."""


@dataclass(frozen=True, slots=True)
class LiveBackends:
    """External dependencies of the live view. `events` tells whether changes are received."""

    gym: GymClient
    identity: IdentityClient
    tokens: VerifiesTokens
    events: Events


@dataclass(frozen=True, slots=True)
class LiveView:
    """The ASGI application, and the hub that receives changes."""

    app: AsgiApplication
    hub: Hub
    watchers: Watchers


def assemble_live(
    backends: LiveBackends,
    settings: Settings,
    clock: Clock,
    *,
    pace: Pace | None = None,
    freshness: Freshness = USUAL,
    on_stop: Step | None = None,
    names_request: bool = True,
    metrics: MetricsRegistry | None = None,
) -> LiveView:
    """Assemble the live view. Arguments as in `deployments.gateway.assembly.assemble`; `pace` as in `gym_watch`."""
    authenticator = open_authenticator(backends.gym, backends.identity, backends.tokens, freshness, settings.api)
    counts = LiveMetrics(metrics or MetricsRegistry())
    turns = asyncio.Semaphore(READ_AT_ONCE)
    hub = Hub(Sources(backends.gym, turns, backends.events, clock, pace or Pace(), counts))
    watchers = Watchers(authenticator, WATCHING, most=settings.live.streams_per_principal)
    app = guarded_app(
        "FIT Monitor, live view",
        "Gyms as they are now, as streams of server-sent events.",
        [stream_calls.router()],
        RouteGuard.of(LIVE_RIGHTS, authenticator, settings.api),
    )
    app.state.dependencies = LiveDependencies(hub, watchers, counts)
    stream_calls.add_document(app)

    lifespan = Lifespan(authenticator, watchers, hub, on_stop=on_stop)
    live = AsgiApplication(app, RequestLimits.of(settings), clock, lifespan=lifespan, names_request=names_request)
    return LiveView(live, hub, watchers)
