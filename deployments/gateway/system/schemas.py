"""Response bodies of health, readiness and version."""

from pydantic import BaseModel

from deployments.http.schemas import Document


class AliveDocument(BaseModel):
    """The process answers."""

    alive: bool


class PartDocument(Document):
    """A part of the system. `latency_ms` is the duration of its check. Scans need every part that is `required`."""

    ok: bool
    latency_ms: float
    required: bool


class ReadyDocument(BaseModel):
    """Whether scans can be answered now."""

    ready: bool
    parts: dict[str, PartDocument]


class VersionDocument(BaseModel):
    """The running version."""

    version: str
