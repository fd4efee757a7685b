"""The way of one scan through the gateway, from its bytes to the bytes of its answer."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from deployments.http.api_rights import RIGHTS
from deployments.http.auth import Asker, Callers, DeviceAsker, permit
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.device_sightings import DeviceSightings
from deployments.http.door_replies import answer_bytes
from deployments.http.ports import Replies
from deployments.http.problems import ApiProblem, Fault, later
from deployments.http.rate_limits import RateLimit
from deployments.qr.questions import ScanQuestion
from deployments.qr.scan_bodies import ScanBody, read_scan
from deployments.qr.scan_exchange import ScanExchange
from domain.gyms.model import Gate
from domain.gyms.rules import serves_direction
from domain.identity.model import Client
from domain.ids import new_id

T = TypeVar("T")
FindClient = Callable[[], Client]

_RIGHT = RIGHTS["POST", "/scans"]


class ScanDesk:
    """Takes scans in.

    Args:
        callers: who is asking.
        gates: the gates, as far as they are remembered.
        exchange: puts the scan to the door.
        replies: where its answer is to go.
        rate: how many scans one asker may ask for.
        deadline_s: how long after its arrival a scan may still be decided.
        sightings: where it is noted that a device was seen.
    """

    def __init__(
        self,
        *,
        callers: Callers,
        gates: ConfirmedCache[Gate],
        exchange: ScanExchange,
        replies: Replies,
        rate: RateLimit,
        deadline_s: float,
        sightings: DeviceSightings,
    ) -> None:
        self._callers = callers
        self._gates = gates
        self._exchange = exchange
        self._replies = replies
        self._rate = rate
        self._decided_within = timedelta(seconds=deadline_s)
        self._sightings = sightings

    async def scan(
        self, authorization: str | None, client: FindClient, body: bytes, arrived_at: datetime, until: float
    ) -> bytes:
        """The answer to a scan, as JSON.

        Args:
            authorization: the header of that name.
            client: where it came from; found out only for a device that is not remembered.
            body: as it was sent.
            arrived_at: when its first byte was here.
            until: the deadline, by the event loop's clock.

        Raises:
            ApiProblem: it is not answered.
        """
        asker: Asker | None = self._callers.recognised(authorization)
        if asker is None:
            asker = await _by(until, self._callers.identify(authorization, client()))
        permit(asker, _RIGHT)
        own_gym = asker.gym_id if isinstance(asker, DeviceAsker) else None
        return await self._put(asker.id, own_gym, body, arrived_at, until)

    async def scan_by_staff(self, staff_id: UUID, body: bytes, arrived_at: datetime, until: float) -> bytes:
        """The same for somebody of the staff who was recognised elsewhere.

        Raises:
            ApiProblem: it is not answered.
        """
        return await self._put(staff_id, None, body, arrived_at, until)

    async def _put(
        self, asked_by: UUID, own_gym: UUID | None, body: bytes, arrived_at: datetime, until: float
    ) -> bytes:
        wait_s = self._rate.take(asked_by)
        if wait_s:
            raise later("too_many_scans", "This device asks faster than it may.", seconds=int(wait_s) + 1)
        scan = read_scan(body)
        if own_gym is not None:
            self._sightings.note(asked_by, arrived_at, scan.scanned_at)
        found = self._gates.remembered(scan.gate_id) or await _by(until, self._gates.get(scan.gate_id))
        gate = _checked(found, scan, own_gym)
        if not self._replies.ready:
            raise later("unavailable", "Answers from the door cannot be received yet.")
        reply = await self._exchange.ask(
            ScanQuestion(
                command_id=new_id(),
                reply_to=self._replies.reply_to,
                scan_id=scan.scan_id,
                asked_by=asked_by,
                gym_id=gate.gym_id,
                gate_id=gate.id,
                direction=scan.direction,
                code=scan.code,
                arrived_at=arrived_at,
                decide_by=arrived_at + self._decided_within,
                scanned_at=scan.scanned_at,
            ),
            until,
        )
        return answer_bytes(reply, "scan_answer")


async def _by(until: float, asking: Coroutine[Any, Any, T]) -> T:
    """What must be known before the door is asked. A timer is set only where somebody else has to be asked for it."""
    try:
        async with asyncio.timeout_at(until):
            return await asking
    except TimeoutError as error:
        raise later("unavailable", "Who asks could not be found out in time. Repeat with the same scan_id.") from error


def _checked(gate: Gate | None, scan: ScanBody, own_gym: UUID | None) -> Gate:
    if gate is None:
        raise ApiProblem("unknown_gate", "There is no gate of this gate_id.")
    if own_gym is not None and gate.gym_id != own_gym:
        raise ApiProblem("gate_of_another_gym", "A device scans at gates of its own gym.")
    if not serves_direction(gate.serves, scan.direction):
        raise ApiProblem(
            "direction_not_served",
            f"The gate serves `{gate.serves}`, not `{scan.direction}`.",
            faults=[Fault("direction", f"is not served by a gate of `{gate.serves}`")],
        )
    return gate
