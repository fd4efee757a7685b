"""The Gym as Ray Serve runs it."""

from datetime import timedelta

from deployments.gym.desk import GymDesk
from deployments.store_desk import open_store
from integrations.images.store import open_image_store
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings


class Gym(Replica, GymDesk):
    """Answers by handle. Serve runs its methods on as many threads as requests may be ongoing.

    That is set to the size of the pool of connections, see `deployments.gateway.app`: a thread
    that waits for a connection would only hide the queue.
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.resources.add("store", store.close)
        super().__init__(
            store,
            keys_kept_for=timedelta(hours=own.api.idempotency_hours),
            images=open_image_store(own),
            image_settings=own.images,
        )
