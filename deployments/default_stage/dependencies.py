"""What the calls of the existing web client work with, put together once per replica."""

from dataclasses import dataclass
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request

from deployments.default_stage.code_answers import CodeAnswers
from deployments.http.pictures import Pictures
from deployments.http.ports import AskGym, AskIdentity, AskPayments, AskQr, VerifiesTokens
from deployments.http.uploads import Uploads
from deployments.qr.relay import Relayed
from domain.door.machine_model import MachineAction
from integrations.settings import ApiSettings, DefaultStageSettings


class Door(Protocol):
    """The way to the door, which the gateway has."""

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> Relayed:
        """See `deployments.qr.relay`."""

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> Relayed:
        """See `deployments.qr.relay`."""


@dataclass(frozen=True, slots=True)
class StageParts:
    """Everything that these calls may ask. `tokens`: ID tokens, which this client sends."""

    gym: AskGym
    identity: AskIdentity
    qr: AskQr
    payments: AskPayments
    door: Door
    tokens: VerifiesTokens
    codes: CodeAnswers
    pictures: Pictures
    uploads: Uploads
    settings: DefaultStageSettings
    api: ApiSettings


async def _parts(request: Request) -> StageParts:
    parts: StageParts = request.app.state.parts
    return parts


OfStage = Annotated[StageParts, Depends(_parts)]
