"""When devices were seen last: noted on the way of a scan, told to the Gym every few seconds, off that way."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from deployments.gym.devices import DeviceService
from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.http.ports import AskGym
from deployments.http.problems import ApiProblem
from domain.gyms.model import DeviceSighting

TOLD_EVERY_S = 15.0

_MILLISECOND = timedelta(milliseconds=1)
_MOST_MS = 2**31 - 1  # of its column; 24 days: a clock that was never set
_log = structlog.get_logger(__name__)


class DeviceSightings:
    """The devices that a replica has seen since it last told of them. For one event loop.

    Args:
        gym: is told.
    """

    def __init__(self, gym: AskGym) -> None:
        self._gym = gym
        self._seen: dict[UUID, datetime] = {}
        self._times: dict[UUID, tuple[datetime, datetime]] = {}
        self._telling = BackgroundTask("device_sightings", repeating(self.tell, TOLD_EVERY_S))

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        return self._telling.dead

    def start(self) -> None:
        """Begin to tell; needs the running event loop."""
        self._telling.start()

    async def close(self) -> None:
        """Stop, and tell what was seen last."""
        await self._telling.close()
        await self.tell()

    def note(self, device_id: UUID, arrived_at: datetime, told_at: datetime | None) -> None:
        """A device has asked something.

        Args:
            told_at: the time by its own clock, where it said so.
        """
        self._seen[device_id] = arrived_at
        if told_at is not None:
            self._times[device_id] = (arrived_at, told_at)

    async def tell(self) -> None:
        """Tell of those seen since the last time."""
        seen, self._seen = self._seen, {}
        times, self._times = self._times, {}
        if not seen:
            return
        sightings = [DeviceSighting(device, at, _skew_ms(times.get(device))) for device, at in seen.items()]
        try:
            await self._gym(DeviceService.mark_seen, sightings)
        except ApiProblem as error:
            # They will be seen again; until then they look silent.
            _log.warning("devices_not_told", error=error.code)


def _skew_ms(times: tuple[datetime, datetime] | None) -> int | None:
    if times is None:
        return None
    arrived_at, told_at = times
    return max(-_MOST_MS, min(_MOST_MS, (told_at - arrived_at) // _MILLISECOND))
