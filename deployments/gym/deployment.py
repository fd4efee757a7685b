"""The Gym deployment as Ray Serve runs it."""

from datetime import timedelta
from typing import Any

from deployments.gym.services import gym_services
from deployments.idempotent_calls import IdempotentAnswer
from deployments.service_host import MethodName, ServiceHost, open_store
from domain.idempotency import IdempotentRequest, KeyState
from integrations.images.choice import open_images
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings


class GymDeployment(Replica):
    """Answers calls by handle. Serve runs them on as many threads as requests may be ongoing.

    That number equals the size of the connection pool, see `deployments.gateway.app`: a thread that waits for a
    connection would only hide the queue.
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.closing.add("store", store.close)
        self._host = ServiceHost(
            gym_services(store, images=open_images(own), image_settings=own.images),
            keys_kept_for=timedelta(hours=own.api.idempotency_hours),
        )

    def call(self, name: MethodName, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - see `ServiceHost`
        """See `ServiceHost.call`."""
        return self._host.call(name, *args, **kwargs)

    def call_once(
        self, request: IdempotentRequest, name: MethodName, *args: Any, **kwargs: Any
    ) -> IdempotentAnswer[Any] | KeyState:  # noqa: ANN401, E501 - see `ServiceHost`
        """See `ServiceHost.call_once`."""
        return self._host.call_once(request, name, *args, **kwargs)
