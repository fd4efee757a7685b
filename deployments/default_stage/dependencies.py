"""What the endpoints of the existing web client use, created once per replica."""

from dataclasses import dataclass
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request

from deployments.default_stage.code_answers import CodeAnswers
from deployments.http.door_replies import DoorAnswer
from deployments.http.pictures import Pictures
from deployments.http.ports import GymClient, IdentityClient, PassIssuer, PaymentsClient, VerifiesTokens
from deployments.http.uploads import Uploads
from domain.door.machine_model import MachineAction
from integrations.settings import ApiSettings, DefaultStageSettings


class Door(Protocol):
    """The door, asked on behalf of authenticated users; see `deployments.http.handles.DoorByHandle`."""

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> DoorAnswer:
        """The answer to a scan with the body of `POST /api/scans`."""

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> DoorAnswer:
        """The answer to a member who uses a machine, or releases it."""


@dataclass(frozen=True, slots=True)
class StageDependencies:
    """What the endpoints use. `tokens` verifies ID tokens, which this client sends."""

    gym: GymClient
    identity: IdentityClient
    qr: PassIssuer
    payments: PaymentsClient
    door: Door
    tokens: VerifiesTokens
    codes: CodeAnswers
    pictures: Pictures
    uploads: Uploads
    settings: DefaultStageSettings
    api: ApiSettings


async def _dependencies(request: Request) -> StageDependencies:
    deps: StageDependencies = request.app.state.dependencies
    return deps


StageDeps = Annotated[StageDependencies, Depends(_dependencies)]
