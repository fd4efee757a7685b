"""The Live deployment of Ray Serve."""

import asyncio
from collections.abc import Sequence

from ray import serve

from deployments.http.asgi import AsgiApplication
from deployments.http.handles import gym_by_handle, identity_by_handle
from deployments.live.assembly import LiveBackends, assemble_live
from domain.clock import system_clock
from integrations.kafka.gym_events import GymChange, GymEventListener
from integrations.logs import configure_logging
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.replica import Replica
from integrations.settings import settings
from integrations.tokens import TokenUse, TokenVerifier

API = "api"
"""The application of the deployments that it calls."""


class LiveUnhealthyError(Exception):
    """This replica no longer receives changes, or one of its tasks is dead. Serve replaces it."""


class Live(Replica):
    """Opens the dependencies of the live view and checks its health. Healthy without Kafka: it then polls gyms."""

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        self._events = GymEventListener(own.kafka, asyncio.get_running_loop(), self._heard, self._turned)
        self.resources.add("events", self._events.close)
        self._metrics = MetricsRegistry()
        self.resources.add("metrics", self._metrics.stop)
        self._view = assemble_live(
            LiveBackends(
                gym=gym_by_handle(serve.get_deployment_handle("Gym", API)),
                identity=identity_by_handle(serve.get_deployment_handle("Identity", API)),
                tokens=TokenVerifier(own.identity, TokenUse.ACCESS),
                events=self._events,
            ),
            own,
            system_clock,
            on_stop=self._close,
            names_request=False,  # Serve's server does
            metrics=self._metrics,
        )
        self._events.start()
        self._metrics.start(RayExporter)

    def __serve_build_asgi_app__(self) -> AsgiApplication:
        """The application. Serve calls this after the constructor."""
        return self._view.app

    async def check_health(self) -> None:
        """Serve replaces a replica whose check fails.

        Raises:
            LiveUnhealthyError: the replica cannot work any more.
        """
        if not self._events.healthy:
            raise LiveUnhealthyError("changes cannot be heard")
        if dead := self._view.app.lifespan.dead:
            raise LiveUnhealthyError(f"dead tasks: {', '.join(dead)}")

    def _heard(self, changes: Sequence[GymChange]) -> None:
        self._view.hub.heard(changes)

    def _turned(self) -> None:
        self._view.hub.turned()

    async def _close(self) -> None:
        await asyncio.to_thread(self.resources.close)
