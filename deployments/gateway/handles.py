"""The other deployments, reached by their handles. Whatever fails on the way is `unavailable`."""

import asyncio
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog
from ray.exceptions import RayActorError, RaySystemError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.gateway.problems import ApiProblem, later
from deployments.gym.desk import GymDesk, StoreAwayError
from deployments.qr.passes import ImageKind, IssuedPass

P = ParamSpec("P")
R = TypeVar("R")

_ANSWER_WITHIN_S = 5.0
_log = structlog.get_logger(__name__)


async def _call(handle: DeploymentHandle[Any], name: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - typed by its callers
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            return await getattr(handle, name).remote(*args, **kwargs)
    except StoreAwayError as error:
        raise _away("database", error) from error
    except (RayServeException, RayActorError, RaySystemError, TaskCancelledError, TimeoutError) as error:
        raise _away(handle.deployment_name, error) from error
    except RayTaskError as error:
        if isinstance(error.cause, StoreAwayError):
            raise _away("database", error) from error
        raise


def _away(part: str, error: Exception) -> ApiProblem:
    _log.warning("part_away", part=part, error=type(error).__name__)
    return later("unavailable", f"A part of the system is away: {part}.", seconds=2)


class GymByHandle:
    """The Gym deployment."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def __call__(self, method: Callable[Concatenate[GymDesk, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See `ports.AskGym`."""
        answer: R = await _call(self._handle, method.__name__, *args, **kwargs)
        return answer


class QrByHandle:
    """The Qr deployment."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def check(self, batch: bytes) -> bytes:
        """See `ports.AskQr`."""
        flags: bytes = await self._handle.check.remote(batch)  # its caller bounds it, and expects any failure
        return flags

    async def issue(self, member_id: UUID, count: int) -> list[IssuedPass]:
        """See `ports.AskQr`."""
        issued: list[IssuedPass] = await _call(self._handle, "issue", member_id, count)
        return issued

    async def image(self, member_id: UUID, kind: ImageKind) -> bytes:
        """See `ports.AskQr`."""
        image: bytes = await _call(self._handle, "image", member_id, kind)
        return image

    async def ping(self) -> None:
        """See `ports.AskQr`."""
        await _call(self._handle, "ping")
