"""The Ray Serve deployment that answers scans."""

import asyncio
from uuid import UUID

from ray import serve

from deployments.http.asgi import AsgiApplication
from deployments.http.door_replies import DoorAnswer
from deployments.http.handles import gym_by_handle, identity_by_handle, payments_by_handle
from deployments.qr.assembly import ScannerBackends, assemble_scanner
from domain.clock import system_clock
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.door_commands import DoorCommandClient
from integrations.kafka.replies import ReplyListener
from integrations.logs import configure_logging
from integrations.metrics import LATE_REPLIES, LOST_COMMANDS
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.pass_keys import PassVerifier
from integrations.replica import Replica
from integrations.settings import settings
from integrations.tokens import TokenUse, TokenVerifier

API = "api"
"""The application whose deployments it calls."""


class ScannerUnhealthyError(Exception):
    """This replica cannot send commands or receive replies any more, or one of its tasks has died."""


class QrScanner(Replica):
    """Opens the scanner's clients, builds its application on the replica, and checks its health."""

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        key_dir = own.passes.key_dir
        if key_dir is None:
            raise ScannerUnhealthyError("FITMONITOR_PASSES__KEY_DIR is not set")
        self._verifier = PassVerifier(key_dir)
        # The tag is unique among all replicas, past ones included; a rank is assigned again.
        replica_id = serve.get_replica_context().replica_tag
        self._replies = ReplyListener(own.kafka, replica_id, asyncio.get_running_loop())
        self.resources.add("replies", self._replies.close)
        self._producer = producer = CommandProducer(own)
        self.resources.add("producer", producer.close)  # sends what is queued
        self._replies.start()
        metrics = MetricsRegistry()
        self.resources.add("metrics", metrics.stop)
        metrics.add_callback(LATE_REPLIES, lambda: self._replies.late_replies)
        metrics.add_callback(LOST_COMMANDS, lambda: producer.refused, "refused")
        metrics.add_callback(LOST_COMMANDS, lambda: producer.failed_deliveries, "undelivered")
        metrics.start(RayExporter)
        self._app, self._scans = assemble_scanner(
            ScannerBackends(
                gym=gym_by_handle(serve.get_deployment_handle("Gym", API)),
                identity=identity_by_handle(serve.get_deployment_handle("Identity", API)),
                payments=payments_by_handle(serve.get_deployment_handle("Payments", API)),
                tokens=TokenVerifier(own.identity, TokenUse.ACCESS),
                verifier=self._verifier,
                producer=producer,
                replies=self._replies,
                commands=DoorCommandClient(own, self._replies, producer),
            ),
            own,
            system_clock,
            on_stop=self._close,
            names_request=False,  # Serve's server does
            metrics=metrics,
        )

    def __serve_build_asgi_app__(self) -> AsgiApplication:
        """The application; Serve asks for it after the constructor."""
        return self._app

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> DoorAnswer:
        """A scan of a staff member whom another application has authenticated; see `ScanService.scan_by_staff`."""
        return await DoorAnswer.of(self._scans.scan_by_staff(staff_id, body))

    async def ping(self) -> None:
        """Return if this replica can answer scans now. Cheap, because anybody may call `GET /ready`.

        Raises:
            ScannerUnhealthyError: it cannot.
        """
        self._check_clients()
        if not self._replies.ready:
            raise ScannerUnhealthyError("replies cannot be received yet")

    async def check_health(self) -> None:
        """Serve replaces a replica whose check fails.

        Raises:
            PassKeyError: the pass keys cannot be read any more.
            ScannerUnhealthyError: commands cannot be sent, replies cannot be received, or a task has died.
        """
        await asyncio.to_thread(self._verifier.check)  # it reads files
        self._check_clients()

    def _check_clients(self) -> None:
        if not self._producer.healthy:
            raise ScannerUnhealthyError("commands cannot be sent")
        if not self._replies.healthy:
            raise ScannerUnhealthyError("replies cannot be received")
        if dead := self._app.lifespan.dead:
            raise ScannerUnhealthyError(f"dead tasks: {', '.join(dead)}")

    async def _close(self) -> None:
        await asyncio.to_thread(self.resources.close)
