"""Devices as staff watch them, and how they are paired, as JSON."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from pydantic import Field

from deployments.gateway.schemas import DeviceDocument, Name
from deployments.gym.gates import IssuedPairing
from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from domain.gyms.model import DeviceAtGate

SILENT_AFTER = timedelta(minutes=1)


class GymDeviceDocument(DeviceDocument):
    """A device in use at a gym. `silent`: nothing was heard of it for a minute."""

    gate_name: str
    silent: bool

    @classmethod
    def of(cls, found: DeviceAtGate, now: datetime) -> Self:
        """The document of a device as it stands now."""
        seen = found.device.last_seen_at
        return cls(
            **dict(DeviceDocument.model_validate(found.device)),
            gate_name=found.gate_name,
            silent=seen is None or now - seen > SILENT_AFTER,
        )


class NewPairing(RequestBody):
    """A device to be paired."""

    name: Name


class PairingDocument(Document):
    """A code that waits for its device."""

    id: UUID
    gate_id: UUID
    name: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime


class CreatedPairing(PairingDocument):
    """A pairing just made, with its code, which is shown this once."""

    code: str
    url: str = Field(description="Leads a door's browser to the code.")
    qr_svg: str = Field(description="The same address as a QR code, a picture of any size.")

    @classmethod
    def of(cls, made: IssuedPairing) -> Self:
        """The document of a new pairing."""
        return cls(
            **dict(PairingDocument.model_validate(made.pairing)), code=made.code, url=made.url, qr_svg=made.qr_svg
        )


class PairingClaim(RequestBody):
    """The code that a device shows."""

    code: str = Field(min_length=1, max_length=64, description="Small letters, spaces and dashes make no difference.")
