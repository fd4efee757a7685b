"""The Gym as Ray Serve runs it."""

from datetime import timedelta

from deployments.gym.desk import GymDesk
from deployments.store_desk import open_store
from integrations.images.choice import open_images
from integrations.logs import configure_logging
from integrations.settings import settings


class Gym(GymDesk):
    """Answers by handle. Serve runs its methods on as many threads as requests may be ongoing.

    That is set to the size of the pool of connections, see `deployments.gateway.app`: a thread
    that waits for a connection would only hide the queue.
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        self._own_store = open_store(own.database)
        super().__init__(
            self._own_store,
            keys_kept_for=timedelta(hours=own.api.idempotency_hours),
            images=open_images(own),
            image_settings=own.images,
        )

    def __del__(self) -> None:
        self._own_store.close()
