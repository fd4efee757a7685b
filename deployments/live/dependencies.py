"""Dependencies of the live routes, created once per replica."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from deployments.live.hub import Hub
from deployments.live.metrics import LiveMetrics
from deployments.live.watchers import Watchers


@dataclass(frozen=True, slots=True)
class LiveDependencies:
    """The open streams and their owners."""

    hub: Hub
    watchers: Watchers
    counts: LiveMetrics


async def _dependencies(request: Request) -> LiveDependencies:
    deps: LiveDependencies = request.app.state.dependencies
    return deps


LiveDeps = Annotated[LiveDependencies, Depends(_dependencies)]
