"""The application `default_stage` of serve_config.yaml: the existing web client's calls. It can be left out."""

from ray import serve
from ray.serve import Application

from deployments.default_stage.deployment import DefaultStage


def build(args: dict[str, str]) -> Application:  # noqa: ARG001 - Serve hands its `args` over; there are none yet
    """Bind the deployment."""
    return serve.deployment(max_ongoing_requests=256, max_queued_requests=256)(serve.ingress()(DefaultStage)).bind()
