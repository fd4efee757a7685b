"""The application `scans` of serve_config.yaml: separate, so that no upload, list or document delays a door."""

from ray import serve
from ray.serve import Application

from deployments.qr.scanner_deployment import QrScanner


def build(args: dict[str, str]) -> Application:  # noqa: ARG001 - Serve passes its `args`; there are none yet
    """Bind the deployment."""
    return serve.deployment(max_ongoing_requests=1024, max_queued_requests=1024)(serve.ingress()(QrScanner)).bind()
