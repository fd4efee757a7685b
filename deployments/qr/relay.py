"""Questions to the door that come in elsewhere, as those of the existing web client: put and answered by handle."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from uuid import UUID

from deployments.gateway.dependencies import Parts
from deployments.gateway.machines.use import decide_machine_use
from deployments.http.problems import ApiProblem
from deployments.qr.scan_service import ScanDesk
from domain.door.machine_model import MachineAction


@dataclass(frozen=True, slots=True)
class Relayed:
    """The door's answer as JSON, or the problem that there was: a value, for it goes to another process."""

    answer: bytes = b""
    code: str = ""
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def answered(self) -> bytes:
        """The answer.

        Raises:
            ApiProblem: there was one.
        """
        if self.code:
            raise ApiProblem(self.code, self.detail, headers=self.headers)
        return self.answer


class Relay:
    """Asks the door for those whom another application has recognised.

    Args:
        scans, parts: those of this replica.
        within_s: how long a scan may take.
    """

    def __init__(self, scans: ScanDesk, parts: Parts, within_s: float) -> None:
        self._scans = scans
        self._parts = parts
        self._within_s = within_s

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> Relayed:
        """Put a scan of `POST /scans`."""
        until = asyncio.get_running_loop().time() + self._within_s
        return await _relayed(self._scans.scan_by_staff(staff_id, body, self._parts.clock(), until))

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> Relayed:
        """Use a machine, or release the one that the member uses."""
        return await _relayed(decide_machine_use(self._parts, member_id, action, machine_id))


async def _relayed(asking: Awaitable[bytes]) -> Relayed:
    try:
        return Relayed(await asking)
    except ApiProblem as problem:
        return Relayed(code=problem.code, detail=problem.detail, headers=problem.headers)
