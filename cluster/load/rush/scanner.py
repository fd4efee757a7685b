"""A scan as a gate's device makes it: asked with the same scan id until there is an answer, or patience is over."""

import asyncio
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import msgspec

from cluster.load.http_client import NoResponseError, Wire
from cluster.load.passes import Code
from cluster.load.responses import Response
from cluster.load.rush.world import RushGate
from domain.door.model import Direction, ScanAnswer

ANSWER_WITHIN_S = 4.0  # past the door's own deadline of 1.8 s: what comes later was lost on the way
PATIENCE_S = 30.0
PAUSE_S = 0.3
_AFTER_S = 1.0  # where the stack says when
_OK = 200
_ASK_AGAIN = frozenset({429, 502, 503, 504})
_decoder = msgspec.json.Decoder(ScanAnswer)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a door."""

    scan_id: str
    gate: RushGate
    device: int
    direction: Direction
    code: Code

    @property
    def device_id(self) -> UUID:
        """Who asks."""
        return self.gate.devices[self.device][0]


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to a question, and how it was come by.

    Args:
        repeats: how often the same was asked again until then.
        sent: when it was asked first, by the event loop's clock.
    """

    answer: ScanAnswer
    repeats: int
    sent: float


class UnansweredError(Exception):
    """Nobody has answered within the device's patience: what was decided is not known."""


class NotAScanError(Exception):
    """The stack refused the question as such: that is no answer of a door."""


class Signs(Protocol):
    """Whoever writes a code as the phone shows it."""

    def sign(self, code: Code) -> str:
        """The text of the picture."""


class Doors:
    """The devices at all gates.

    Args:
        wire: to the stack.
        signs: writes codes.
        patience_s: for how long a question without an answer is asked again.
    """

    def __init__(self, wire: Wire, signs: Signs, patience_s: float = PATIENCE_S) -> None:
        self._wire = wire
        self._signs = signs
        self._patience_s = patience_s

    async def ask(self, asked: Asked) -> Told:
        """The decision on a scan.

        Raises:
            UnansweredError: there is none, or it was not heard.
            NotAScanError: the question itself was refused.
        """
        content = msgspec.json.encode(
            {
                "code": self._signs.sign(asked.code),
                "gate_id": asked.gate.id,
                "direction": asked.direction,
                "scan_id": asked.scan_id,
            }
        )
        credential = asked.gate.devices[asked.device][1]
        clock = asyncio.get_running_loop().time
        repeats, first = 0, clock()
        until = first + self._patience_s
        while True:
            try:
                response, sent = await self._wire.post(content, credential)
            except NoResponseError:  # it may have been decided all the same: only the same question can tell
                pause = PAUSE_S
            else:
                first = first if repeats else sent
                if response.status not in _ASK_AGAIN:
                    return Told(_read(response), repeats, first)
                pause = _AFTER_S if response.retry_after else PAUSE_S
            if clock() + pause > until:
                raise UnansweredError
            await asyncio.sleep(pause)
            repeats += 1


def _read(response: Response) -> ScanAnswer:
    if response.status != _OK:
        raise NotAScanError(f"{response.status} {response.body[:160].decode(errors='replace')}")
    try:
        return _decoder.decode(response.body)
    except msgspec.DecodeError as error:
        raise NotAScanError(f"the answer cannot be read: {error}") from error
