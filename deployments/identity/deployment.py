"""The Identity deployment as Ray Serve runs it."""

from datetime import timedelta

from deployments.identity.desk import IdentityDesk
from deployments.identity.outside import outside_of
from deployments.store_desk import open_store
from integrations.logs import configure_logging
from integrations.settings import settings


class Identity(IdentityDesk):
    """Answers by handle. Serve runs its methods on as many threads as requests may be ongoing."""

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        self._own_store = open_store(own.database)
        super().__init__(self._own_store, outside_of(own), own.identity)
        self.keys_kept_for = timedelta(hours=own.api.idempotency_hours)

    def __del__(self) -> None:
        self._own_store.close()
