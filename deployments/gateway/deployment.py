"""The Gateway as Ray Serve runs it."""

import asyncio
from typing import Any
from uuid import UUID

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.gateway.assembly import Backends, assemble
from deployments.gateway.machines.use import decide_machine_use
from deployments.http.asgi import AsgiApplication
from deployments.http.door_replies import DoorAnswer
from deployments.http.handles import (
    PassIssuerByHandle,
    gym_by_handle,
    identity_by_handle,
    payments_by_handle,
    ping_by_handle,
)
from domain.clock import system_clock
from domain.door.machine_model import MachineAction
from integrations.images.store import open_image_store
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.door_commands import DoorCommandClient
from integrations.kafka.replies import ReplyListener
from integrations.logs import configure_logging
from integrations.metrics import LATE_REPLIES, LOST_COMMANDS
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.replica import Replica
from integrations.settings import settings
from integrations.tokens import TokenUse, TokenVerifier

SCANS = "scans"
"""The application that answers scans; readiness asks whether it can."""


class GatewayUnhealthyError(Exception):
    """This replica cannot send commands or receive replies any more, or one of its tasks has died."""


class Gateway(Replica):
    """Opens the gateway's clients, builds its application on the replica, and checks its health.

    Args:
        gym: the Gym deployment.
        qr: the QrIssuer deployment.
        identity: the Identity deployment.
        payments: the Payments deployment.
    """

    def __init__(
        self,
        gym: DeploymentHandle[Any],
        qr: DeploymentHandle[Any],
        identity: DeploymentHandle[Any],
        payments: DeploymentHandle[Any],
    ) -> None:
        own = settings()
        configure_logging(own)
        # The tag is unique among replicas, living and past ones; a rank is given again.
        replica_id = serve.get_replica_context().replica_tag
        self._replies = ReplyListener(own.kafka, replica_id, asyncio.get_running_loop())
        self.resources.add("replies", self._replies.close)
        producer = CommandProducer(own)
        self.resources.add("producer", producer.close)
        self._commands = DoorCommandClient(own, self._replies, producer)
        self._replies.start()
        self._metrics = MetricsRegistry()
        self.resources.add("metrics", self._metrics.stop)
        self._metrics.add_callback(LATE_REPLIES, lambda: self._replies.late_replies)
        self._metrics.add_callback(LOST_COMMANDS, lambda: producer.refused, "refused")
        self._metrics.add_callback(LOST_COMMANDS, lambda: producer.failed_deliveries, "undelivered")
        self._metrics.start(RayExporter)
        self._app, self._deps = assemble(
            Backends(
                gym=gym_by_handle(gym),
                identity=identity_by_handle(identity),
                qr=PassIssuerByHandle(qr),
                scanner=ping_by_handle(serve.get_deployment_handle("QrScanner", SCANS)),
                replies=self._replies,
                commands=self._commands,
                tokens=TokenVerifier(own.identity, TokenUse.ACCESS),
                payments=payments_by_handle(payments),
                images=open_image_store(own),
            ),
            own,
            system_clock,
            on_stop=self._close,
            names_request=False,  # Serve's server does
        )

    def __serve_build_asgi_app__(self) -> AsgiApplication:
        """The application; Serve asks for it after the constructor."""
        return self._app

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> DoorAnswer:
        """Use or release a machine for a member whom another application has authenticated."""
        return await DoorAnswer.of(decide_machine_use(self._deps, member_id, action, machine_id))

    async def check_health(self) -> None:
        """Serve replaces a replica whose check fails.

        Raises:
            GatewayUnhealthyError: commands cannot be sent, replies cannot be received, or a task has died.
        """
        if not self._commands.healthy:
            raise GatewayUnhealthyError("commands cannot be sent, or replies cannot be received")
        if dead := self._app.lifespan.dead:
            raise GatewayUnhealthyError(f"dead tasks: {', '.join(dead)}")

    async def _close(self) -> None:
        await asyncio.to_thread(self.resources.close)
