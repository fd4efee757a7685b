"""Handles one scan, from the bytes of its request to the bytes of its answer."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Protocol, TypeVar
from uuid import UUID

from deployments.http.api_rights import RIGHTS
from deployments.http.asgi import DirectRequest
from deployments.http.auth import Authenticator, DevicePrincipal, Principal, require_right
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.device_sightings import DeviceSightings
from deployments.http.door_replies import answer_bytes, check_replies
from deployments.http.ports import Replies
from deployments.http.problems import ApiProblem, Fault, retryable
from deployments.http.rate_limits import RateLimit
from deployments.qr.scan_bodies import read_scan
from deployments.qr.scan_commands import ScanCommands
from domain.clock import Clock
from domain.door.model import Direction, PassReading, ScanRequest
from domain.gyms.model import Gate
from domain.gyms.rules import serves_direction
from integrations.metrics import ANSWER_SECONDS, ANSWERS
from integrations.metrics_registry import MetricsRegistry

T = TypeVar("T")

SCANS = "POST", "/scans"
# A decision made just before the deadline still has to travel back; the door itself waits 2 s.
_REPLY_MARGIN_S = 0.1


class Verifier(Protocol):
    """Verifies the signatures of passes."""

    def read(self, code: str, arrived_at: datetime) -> PassReading:
        """What a code is at the moment it arrived. Never raises for what was scanned."""


class ScanService:
    """Answers scans. Decides nothing: the door does.

    Args:
        authenticator: authenticates devices and staff.
        gates: the gates, cached.
        verifier: reads passes.
        commands: sends scans to the door.
        replies: receives the door's replies.
        rate: scans of one device or user.
        deadline_s: how long after its arrival a scan may still be decided, in seconds.
        sightings: when devices were seen last, and how wrong their clocks are.
        clock: the present.
        metrics: counts answers and how long they took.
    """

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        gates: ConfirmedCache[Gate],
        verifier: Verifier,
        commands: ScanCommands,
        replies: Replies,
        rate: RateLimit,
        deadline_s: float,
        sightings: DeviceSightings,
        clock: Clock,
        metrics: MetricsRegistry,
    ) -> None:
        self._authenticator = authenticator
        self._gates = gates
        self._verifier = verifier
        self._commands = commands
        self._replies = replies
        self._rate = rate
        self._deadline = timedelta(seconds=deadline_s)
        self._wait_s = deadline_s + _REPLY_MARGIN_S
        self._sightings = sightings
        self._clock = clock
        self._answers = metrics.counter(ANSWERS)
        self._seconds = metrics.histogram(ANSWER_SECONDS)

    async def scan(self, request: DirectRequest) -> bytes:
        """Answer `POST /scans`.

        Returns:
            The door's answer as JSON.

        Raises:
            ApiProblem: the scan is not answered.
        """
        with self._measured():
            until = request.arrived_loop_s + self._wait_s
            principal: Principal | None = self._authenticator.recognised(request.authorization)
            if principal is None:
                principal = await _before(until, self._authenticator.identify(request.authorization, request.client()))
            require_right(principal, RIGHTS[SCANS])
            return await self._decided(principal.id, own_gym(principal), request.body, request.arrived_at, until)

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> bytes:
        """Answer a scan of a staff member whom another application has authenticated.

        Args:
            staff_id: who scans.
            body: as of `POST /scans`.

        Returns:
            The door's answer as JSON.

        Raises:
            ApiProblem: the scan is not answered.
        """
        with self._measured():
            until = asyncio.get_running_loop().time() + self._wait_s
            return await self._decided(staff_id, None, body, self._clock(), until)

    async def _decided(
        self, asked_by: UUID, device_gym: UUID | None, body: bytes, arrived_at: datetime, until: float
    ) -> bytes:
        if wait_s := self._rate.take(asked_by):
            raise retryable("too_many_scans", "Rate limit exceeded.", seconds=int(wait_s) + 1)
        scan = read_scan(body)
        if device_gym is not None:
            self._sightings.note(asked_by, arrived_at, scan.scanned_at)
        found = self._gates.remembered(scan.gate_id) or await _before(until, self._gates.get(scan.gate_id))
        gate = checked_gate(found, device_gym)
        _check_direction(gate, scan.direction)
        check_replies(self._replies)
        request = ScanRequest(
            scan_id=scan.scan_id,
            asked_by=asked_by,
            gym_id=gate.gym_id,
            gate_id=gate.id,
            direction=scan.direction,
            reading=self._verifier.read(scan.code, arrived_at),
            arrived_at=arrived_at,
            decide_by=arrived_at + self._deadline,
            scanned_at=scan.scanned_at,
        )
        reply = await self._commands.decide(request, until)
        return answer_bytes(reply, "scan_answer")

    @contextmanager
    def _measured(self) -> Iterator[None]:
        began_s = perf_counter()
        code = "internal_error"
        try:
            yield
            code = "ok"
        except ApiProblem as problem:
            code = problem.code
            raise
        except asyncio.CancelledError:
            code = "gone"
            raise
        finally:
            self._answers.add(1, code)
            self._seconds.observe(perf_counter() - began_s)


def own_gym(principal: Principal) -> UUID | None:
    """The gym that a device is limited to; None for staff."""
    return principal.gym_id if isinstance(principal, DevicePrincipal) else None


def checked_gate(gate: Gate | None, device_gym: UUID | None) -> Gate:
    """The gate of a scan.

    Args:
        gate: as it was found.
        device_gym: the gym that the scanning device is limited to.

    Raises:
        ApiProblem: there is no such gate, or it is in another gym than the device.
    """
    if gate is None:
        raise ApiProblem("unknown_gate", "There is no gate with this gate_id.")
    if device_gym is not None and gate.gym_id != device_gym:
        raise ApiProblem("gate_of_another_gym", "A device scans at gates of its own gym.")
    return gate


def _check_direction(gate: Gate, direction: Direction) -> None:
    if not serves_direction(gate.serves, direction):
        raise ApiProblem(
            "direction_not_served",
            f"The gate serves `{gate.serves}`, not `{direction}`.",
            faults=[Fault("direction", f"is not served by a gate of `{gate.serves}`")],
        )


async def _before(until: float, asking: Coroutine[Any, Any, T]) -> T:
    """Await something that the scan needs, until the scan's deadline."""
    try:
        async with asyncio.timeout_at(until):
            return await asking
    except TimeoutError as error:
        raise retryable("unavailable", "Authentication timed out. Repeat with the same scan_id.") from error
