"""The application `api` of serve_config.yaml: the Gateway in front of Gym, QrIssuer, Identity and Payments."""

from typing import cast

from ray import serve
from ray.serve import Application, Deployment

from deployments.gateway.deployment import Gateway
from deployments.gym.deployment import GymDeployment
from deployments.identity.deployment import IdentityDeployment
from deployments.payments.deployment import PaymentsDeployment
from deployments.qr.issuer_deployment import QrIssuer
from integrations.settings import settings


def build(args: dict[str, str]) -> Application:  # noqa: ARG001 - Serve passes its `args`; there are none yet
    """Bind the deployments to each other."""
    # As many threads as connections: a thread that waits for a connection would only hide the queue.
    gym = serve.deployment(name="Gym", max_ongoing_requests=settings().database.pool_size, max_queued_requests=512)(
        GymDeployment
    )
    identity = serve.deployment(name="Identity", max_ongoing_requests=64, max_queued_requests=256)(IdentityDeployment)
    payments = serve.deployment(name="Payments", max_ongoing_requests=32, max_queued_requests=256)(PaymentsDeployment)
    gateway = serve.deployment(max_ongoing_requests=1024, max_queued_requests=1024)(serve.ingress()(Gateway))
    issuer = cast("Deployment", QrIssuer)  # decorated as one
    return gateway.bind(gym.bind(), issuer.bind(), identity.bind(), payments.bind())
