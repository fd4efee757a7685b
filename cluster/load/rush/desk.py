"""Puts scans to the doors, writes down what is heard, and judges it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cluster.load.oracle import Expected, Must, faults
from cluster.load.passes import Code
from cluster.load.rush.books import Books, Heard, Stage
from cluster.load.rush.pace import Pace
from cluster.load.rush.scanner import Asked, Doors, NotAScanError, Told, UnansweredError
from cluster.load.rush.world import RushGate, RushWorld
from domain.door.model import Direction, Reason, ScanAnswer
from domain.ids import new_id

ASKED_AGAIN_S = (0.2, 1.0)  # after a lost answer
_TRIES = 5  # while the answer is `too_late`


@dataclass(frozen=True, slots=True)
class Showing:
    """A phone held to a gate.

    Args:
        must: what may be answered, by when it was.
        due: the real second at which it was to happen.
        is_lost: whether the device does not hear the answer and asks again.
        is_held_up: whether the phone has let its owner in here a moment ago.
    """

    gate: RushGate
    direction: Direction
    code: Code
    must: Must
    due: float
    stage: Stage
    is_lost: bool = False
    is_held_up: bool = False


class Desk:
    """What all visits of a rush share.

    Args:
        on_silence: called when a scan has no answer: the stack has gone away.
    """

    def __init__(
        self, world: RushWorld, doors: Doors, books: Books, pace: Pace, on_silence: Callable[[], None]
    ) -> None:
        self.world = world
        self.books = books
        self.pace = pace
        self._doors = doors
        self._on_silence = on_silence

    async def scan(self, showing: Showing, random: Random) -> ScanAnswer | None:
        """Scan, again with a new id while the answer is `too_late`; None: no decision was heard."""
        due = showing.due
        for _ in range(_TRIES):
            device = random.randrange(len(showing.gate.devices))
            asked = Asked(str(new_id()), showing.gate, device, showing.direction, showing.code)
            told = await self._ask(asked)
            if told is None:
                return None
            self._note(asked, told, showing, due)
            if told.answer.reason is Reason.TOO_LATE:
                due = self.pace.seconds
                continue
            self._judge(asked, told, showing.must(self.pace.now()))
            if showing.is_lost:
                await asyncio.sleep(random.uniform(*ASKED_AGAIN_S))
                again = await self._ask(asked)
                if again is not None:
                    self.books.retell(told.answer, again.answer)
            return told.answer
        return None

    def _note(self, asked: Asked, told: Told, showing: Showing, due: float) -> None:
        now, minute = self.pace.seconds, self.pace.minute
        heard = Heard(
            showing.stage,
            asked.gate.gym,
            minute,
            now,
            now - due,
            max(0.0, self.pace.second_of(told.sent) - due),
            told.repeats,
            told.answer,
            showing.is_held_up,
        )
        self.books.hear(asked, heard)

    def _judge(self, asked: Asked, told: Told, must: Expected) -> None:
        capacity = self.world.gyms[asked.gate.gym].capacity
        found = list(faults(must, told.answer, asked.scan_id, capacity, repeated=told.repeats > 0))
        if found:
            self.books.fault(f"{asked.direction} at {asked.gate.name}: {', '.join(found)}")

    async def _ask(self, asked: Asked) -> Told | None:
        books = self.books
        books.waiting += 1
        try:
            return await self._doors.ask(asked)
        except UnansweredError:
            books.unanswered.append(asked)
            self._on_silence()
        except NotAScanError as error:
            books.refused_questions += 1
            books.tell(str(error))
        finally:
            books.waiting -= 1
        return None
