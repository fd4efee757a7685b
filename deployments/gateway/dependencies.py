"""What the endpoints use, created once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.gateway.system.readiness import Readiness
from deployments.http.pictures import Pictures
from deployments.http.ports import DoorCommands, GymClient, IdentityClient, PassIssuer, PaymentsClient, Replies
from deployments.http.uploads import Uploads
from domain.clock import Clock
from integrations.settings import Settings


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an endpoint may use."""

    gym: GymClient
    identity: IdentityClient
    qr: PassIssuer
    payments: PaymentsClient
    replies: Replies
    commands: DoorCommands
    pictures: Pictures
    uploads: Uploads
    readiness: Readiness
    clock: Clock
    settings: Settings


async def _dependencies(request: Request) -> Dependencies:
    deps: Dependencies = request.app.state.dependencies
    return deps


Deps = Annotated[Dependencies, Depends(_dependencies)]
