"""Look-ups of devices that a replica does not remember: strangers must not keep out the doors that it will know."""

from collections import Counter
from uuid import UUID

from deployments.gateway.confirmed_cache import ConfirmedCache
from deployments.gateway.problems import later
from deployments.gateway.rate_limit import RateLimit
from domain.gyms.model import DeviceKey

# Of one address at once: more than a gym has doors, and a fraction of what may wait in all.
_AT_ONCE = 64


class DeviceLookUps:
    """The keys of devices. A remembered one is never limited: all doors of a gym may share one address.

    Args:
        devices: the keys, as far as they are remembered.
        rate: how often an address may name a device that does not exist.
    """

    def __init__(self, devices: ConfirmedCache[DeviceKey], rate: RateLimit) -> None:
        self._devices = devices
        self._rate = rate
        self._under_way: Counter[str] = Counter()

    async def key(self, device_id: UUID, address: str) -> DeviceKey | None:
        """The key of a device, None when there is no such device.

        Raises:
            ApiProblem: `too_many_requests` when the address has named too many that do not exist, otherwise as of
                `ConfirmedCache.get`.
        """
        key = self._devices.remembered(device_id)
        if key is not None or self._devices.is_denied(device_id):
            return key
        wait_s = self._rate.wait_s(address) or float(self._under_way[address] >= _AT_ONCE)
        if wait_s:
            detail = "Too many unknown devices from this address."
            raise later("too_many_requests", detail, seconds=int(wait_s) + 1)
        self._under_way[address] += 1
        try:
            key = await self._devices.get(device_id)
        finally:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]
        if key is None:
            self._rate.charge(address)
        return key
