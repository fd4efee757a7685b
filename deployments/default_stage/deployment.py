"""The DefaultStage as Ray Serve runs it."""

from ray import serve

from deployments.default_stage.assembly import StageBackends, assemble_stage
from deployments.http.asgi import AsgiApplication
from deployments.http.handles import (
    DoorByHandle,
    PassIssuerByHandle,
    gym_by_handle,
    identity_by_handle,
    payments_by_handle,
)
from domain.clock import system_clock
from integrations.images.store import open_image_store
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings
from integrations.tokens import TokenUse, TokenVerifier

API, SCANS = "api", "scans"
"""The applications whose deployments it calls."""


class StageUnhealthyError(Exception):
    """A task of this replica has died."""


class DefaultStage(Replica):
    """Translates the existing web client's calls. Stateless."""

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        self._app = assemble_stage(
            StageBackends(
                gym=gym_by_handle(serve.get_deployment_handle("Gym", API)),
                identity=identity_by_handle(serve.get_deployment_handle("Identity", API)),
                qr=PassIssuerByHandle(serve.get_deployment_handle("QrIssuer", API)),
                payments=payments_by_handle(serve.get_deployment_handle("Payments", API)),
                door=DoorByHandle(
                    serve.get_deployment_handle("QrScanner", SCANS), serve.get_deployment_handle("Gateway", API)
                ),
                tokens=TokenVerifier(own.identity, TokenUse.ID),
                images=open_image_store(own),
            ),
            own,
            system_clock,
            names_request=False,  # Serve's server does
        )

    def __serve_build_asgi_app__(self) -> AsgiApplication:
        """The application; Serve asks for it after the constructor."""
        return self._app

    async def check_health(self) -> None:
        """Serve replaces a replica whose check fails.

        Raises:
            StageUnhealthyError: a task has died.
        """
        if dead := self._app.lifespan.dead:
            raise StageUnhealthyError(f"dead tasks: {', '.join(dead)}")
