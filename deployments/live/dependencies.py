"""Dependencies of the live routes, created once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.live.hub import Hub
from deployments.live.metrics import LiveMetrics
from deployments.live.watchers import Watchers


@dataclass(frozen=True, slots=True)
class LiveParts:
    """The open streams and their owners."""

    hub: Hub
    watchers: Watchers
    counts: LiveMetrics


async def _parts(request: Request) -> LiveParts:
    parts: LiveParts = request.app.state.parts
    return parts


OfLive = Annotated[LiveParts, Depends(_parts)]
