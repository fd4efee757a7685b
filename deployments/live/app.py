"""Builds the Serve application `live`, apart from `api` because a stream occupies a request slot while it is open."""

from ray import serve
from ray.serve import Application

from deployments.live.deployment import Live


def build(args: dict[str, str]) -> Application:  # noqa: ARG001 - Serve hands its `args` over; there are none yet
    """Bind the deployment."""
    return serve.deployment(max_ongoing_requests=2000, max_queued_requests=100)(serve.ingress()(Live)).bind()
