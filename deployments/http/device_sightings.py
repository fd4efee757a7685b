"""Records in memory when each device was last seen. A background task reports it to Gym every few seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from deployments.gym.devices import DeviceService
from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.http.ports import GymClient
from deployments.http.problems import ApiProblem
from domain.clock import Clock
from domain.gyms.model import DeviceSighting

REPORT_EVERY_S = 15.0

_MILLISECOND = timedelta(milliseconds=1)
_MAX_SKEW_MS = 2**31 - 1  # the range of the column; 24 days: a clock that was never set
_log = structlog.get_logger(__name__)


class DeviceSightings:
    """The devices that a replica has seen since its last report. For one event loop.

    Args:
        gym: stores the sightings.
    """

    def __init__(self, gym: GymClient) -> None:
        self._gym = gym
        self._seen: dict[UUID, datetime] = {}
        self._times: dict[UUID, tuple[datetime, datetime]] = {}
        self._reporting = BackgroundTask("device_sightings", repeating(self.report, REPORT_EVERY_S))

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        return self._reporting.dead

    def start(self) -> None:
        """Start to report; needs the running event loop."""
        self._reporting.start()

    async def close(self) -> None:
        """Stop, and report what was seen last."""
        await self._reporting.close()
        await self.report()

    def note(self, device_id: UUID, arrived_at: datetime, device_time: datetime | None) -> None:
        """Note that a device has sent a request.

        Args:
            device_id: the device.
            arrived_at: when the request arrived, by the server's clock.
            device_time: the time by the device's own clock, if the request names it.
        """
        self._seen[device_id] = arrived_at
        if device_time is not None:
            self._times[device_id] = (arrived_at, device_time)

    def noting(self, clock: Clock) -> Callable[[UUID], None]:
        """A function that notes a request of a device at the present time."""
        return lambda device_id: self.note(device_id, clock(), None)

    async def report(self) -> None:
        """Report the devices seen since the last report."""
        seen, self._seen = self._seen, {}
        times, self._times = self._times, {}
        if not seen:
            return
        sightings = [DeviceSighting(device, at, _skew_ms(times.get(device))) for device, at in seen.items()]
        try:
            await self._gym(DeviceService.mark_seen, sightings)
        except ApiProblem as error:
            # They will be seen again; until then they look silent.
            _log.warning("device_sightings_not_reported", error=error.code)


def _skew_ms(times: tuple[datetime, datetime] | None) -> int | None:
    if times is None:
        return None
    arrived_at, device_time = times
    return max(-_MAX_SKEW_MS, min(_MAX_SKEW_MS, (device_time - arrived_at) // _MILLISECOND))
