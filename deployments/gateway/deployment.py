"""The Gateway as Ray Serve runs it."""

import asyncio
from typing import Any
from uuid import UUID

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.gateway.assembly import Others, assemble
from deployments.http.asgi import Shell
from deployments.http.handles import QrByHandle, gym_by_handle, identity_by_handle, payments_by_handle
from deployments.qr.relay import Relayed
from domain.clock import system_clock
from domain.door.machine_model import MachineAction
from integrations.images.store import open_image_store
from integrations.kafka.door_commands import DoorCommandClient
from integrations.kafka.replies import ReplyListener
from integrations.logs import configure_logging
from integrations.metrics import LATE_REPLIES
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.replica import Replica
from integrations.settings import settings
from integrations.tokens import TokenUse, TokenVerifier


class GatewayUnhealthyError(Exception):
    """This replica can neither ask the door nor hear it any more, or a task of it is dead; another takes its place."""


class Gateway(Replica):
    """Opens what the gateway needs, builds its application on the replica, and tells whether it is well.

    Args:
        gym: the Gym deployment.
        qr: the Qr deployment.
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
        self._commands = DoorCommandClient(own, self._replies)
        self.resources.add("commands", self._commands.close)
        self._replies.start()
        self._tally = MetricsRegistry()
        self.resources.add("tally", self._tally.stop)
        self._tally.add_callback(LATE_REPLIES, lambda: self._replies.late_replies)
        self._tally.start(RayExporter)
        self._app, self._relay = assemble(
            Others(
                gym=gym_by_handle(gym),
                identity=identity_by_handle(identity),
                qr=QrByHandle(qr),
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
            tally=self._tally,
        )

    def __serve_build_asgi_app__(self) -> Shell:
        """The application; Serve asks for it once the constructor is through."""
        return self._app

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> Relayed:
        """A scan of somebody of the staff whom another application has recognised."""
        return await self._relay.scan_by_staff(staff_id, body)

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> Relayed:
        """A wish about a machine of a member whom another application has recognised."""
        return await self._relay.machine_by_member(member_id, machine_id, action)

    async def check_health(self) -> None:
        """Serve replaces a replica whose check fails.

        Raises:
            GatewayUnhealthyError: see there.
        """
        if not self._commands.healthy:
            raise GatewayUnhealthyError("commands cannot be sent, or replies not heard")
        if dead := self._app.lifespan.dead:
            raise GatewayUnhealthyError(f"dead tasks: {', '.join(dead)}")

    async def _close(self) -> None:
        await asyncio.to_thread(self.resources.close)
