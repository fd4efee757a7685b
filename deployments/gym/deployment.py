"""The Gym deployment as Ray Serve runs it."""

from datetime import timedelta

from deployments.gym.services import gym_services
from deployments.service_host import ServiceHost, ServiceReplica, open_store
from integrations.images.store import open_image_store
from integrations.logs import configure_logging
from integrations.settings import settings


class GymDeployment(ServiceReplica):
    """Answers calls by handle. Serve runs them on as many threads as requests may be ongoing.

    That number equals the size of the connection pool, see `deployments.gateway.app`: a thread that waits for a
    connection would only hide the queue.
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.resources.add("store", store.close)
        self.host = ServiceHost(
            gym_services(store, images=open_image_store(own), image_settings=own.images),
            keys_kept_for=timedelta(hours=own.api.idempotency_hours),
        )
