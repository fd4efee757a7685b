"""Calls of services as their deployments make them, without Serve."""

from collections.abc import Callable
from typing import Any

from deployments.idempotent_calls import IdempotentAnswer
from deployments.service_host import ServiceHost, name_of
from domain.clock import Clock
from domain.idempotency import IdempotentRequest, KeyState


def call_once(
    services: object, clock: Clock, request: IdempotentRequest, method: Callable[..., Any], *args: object
) -> IdempotentAnswer[Any] | KeyState:
    """Call a method of a dataclass of services under an idempotency key."""
    return ServiceHost(services, clock=clock).call_once(request, name_of(method), *args)
