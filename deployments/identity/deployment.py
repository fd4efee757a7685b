"""The Identity deployment as Ray Serve runs it."""

from datetime import timedelta

from deployments.identity.desk import IdentityDesk
from deployments.identity.outside import outside_of
from deployments.store_desk import open_store
from integrations.device_cookies import DeviceCookies
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings


class Identity(Replica, IdentityDesk):
    """Answers by handle. Serve runs its methods on as many threads as requests may be ongoing."""

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.resources.add("store", store.close)
        lifetime = timedelta(days=own.identity.known_device_days)
        super().__init__(store, outside_of(own), own.identity, devices=DeviceCookies(own.passes.key_dir, lifetime))
        self.keys_kept_for = timedelta(hours=own.api.idempotency_hours)
