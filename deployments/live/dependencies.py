"""What the calls of the live view work with, put together once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.live.counting import LiveCounts
from deployments.live.hub import Hub
from deployments.live.watchers import Watchers


@dataclass(frozen=True, slots=True)
class LiveParts:
    """Streams, and who has them open."""

    hub: Hub
    watchers: Watchers
    counts: LiveCounts


async def _parts(request: Request) -> LiveParts:
    parts: LiveParts = request.app.state.parts
    return parts


OfLive = Annotated[LiveParts, Depends(_parts)]
