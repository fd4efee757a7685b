"""Look-ups of devices that are not cached, rate limited so that strangers cannot block real doors."""

import asyncio
from collections import Counter
from uuid import UUID

from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.problems import retryable
from deployments.http.rate_limits import RateLimit
from domain.gyms.model import DeviceKey

# Of one address at once, a fraction of what may wait in all; others of the address wait for their turn.
_AT_ONCE = 64


class DeviceLookUps:
    """Keys of devices. A cached device is never limited, because all doors of a gym may share an address.

    Args:
        devices: cache of the keys.
        rate: limit of unknown devices per network address.
    """

    def __init__(self, devices: ConfirmedCache[DeviceKey], rate: RateLimit) -> None:
        self._devices = devices
        self._rate = rate
        self._asking: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def key(self, device_id: UUID, address: str) -> DeviceKey | None:
        """The key of a device, None if there is no such device.

        Raises:
            ApiProblem: `too_many_requests` if the address has named too many unknown devices; otherwise as
                `ConfirmedCache.get`.
        """
        key = self._devices.remembered(device_id)
        if key is not None or self._devices.is_denied(device_id):
            return key
        self._refuse_strangers(address)
        self._asking[address] += 1
        turn = self._turns.setdefault(address, asyncio.Semaphore(_AT_ONCE))
        try:
            async with turn:
                self._refuse_strangers(address)  # by what those before it have turned out to be
                key = await self._devices.get(device_id)
        finally:
            self._asking[address] -= 1
            if not self._asking[address]:
                del self._asking[address], self._turns[address]
        if key is None:
            self._rate.charge(address)
        return key

    def _refuse_strangers(self, address: str) -> None:
        if wait_s := self._rate.wait_s(address):
            detail = "Too many unknown devices from this address."
            raise retryable("too_many_requests", detail, seconds=int(wait_s) + 1)
