"""The Gym as Ray Serve runs it."""

from deployments.gym.desk import GymDesk
from domain.unit_of_work import Store
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
        self._own_store = Store(
            own.database.url.get_secret_value(),
            pool_size=own.database.pool_size,
            statement_timeout_s=own.database.statement_timeout_s,
        )
        super().__init__(self._own_store)

    def __del__(self) -> None:
        self._own_store.close()
