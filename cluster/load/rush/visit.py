"""What one visitor does. Each of their scans waits for the answer to the one before, and for nobody else's."""

from dataclasses import dataclass
from random import Random

from cluster.load import oracle
from cluster.load.oracle import Expected
from cluster.load.passes import Pass, Phone, seconds_until_valid
from cluster.load.rush.scanner import PassPresentation, Scanner
from cluster.load.rush.visitors import AGAIN_AFTER_MINUTES, Oddity, Visitor
from cluster.load.world import Gate, Member, World
from domain.door.model import Direction, Outcome, Reason, ScanAnswer

# Real seconds between an entry and what is tried with its phone: the doors' time limits are real.
_SOON_S = (0.3, 3.0)
_STILL_HELD_UP_S = 10.0  # well within the door's 15 s
_MAX_PASSES = 3  # that are shown one after the other, where one expired on the way


@dataclass(frozen=True, slots=True)
class _Entry:
    """The answer to an entry, and the pass that was shown."""

    answer: ScanAnswer
    shown: Pass


class Visit:
    """One visit.

    Args:
        scanner: shared with all visits.
        visitor: the plan.
        seed: of what happens by chance.
    """

    def __init__(self, world: World, scanner: Scanner, visitor: Visitor, seed: int) -> None:
        self._world = world
        self._scanner = scanner
        self._clock = scanner.clock
        self._visitor = visitor
        self._member = world.members[visitor.member]
        self._random = Random(f"{seed} {visitor.member}")  # noqa: S311 - draws behaviour, guards nothing
        self._phone = Phone(self._member, self._random)
        self._gates = world.gyms[visitor.gym].gates
        self._gate = self._gates[visitor.gate]
        self._is_inside = False

    async def enter_before(self, second: float) -> None:
        """Enter at a real second, before simulated time runs."""
        due = await self._clock.until_second(second)
        if due is not None:
            await self._enter(due)

    async def run(self) -> None:
        """The visit as planned, until the rush is over."""
        visitor = self._visitor
        if visitor.arrives >= 0:
            due = await self._clock.until_minute(visitor.arrives)
            if due is None:
                return
            await self._arrive(due)
        if not self._is_inside:
            return
        due = await self._clock.until_minute(max(visitor.leaves, self._clock.minute))
        if due is None:
            return
        if visitor.forgets:
            self._scanner.log.forgotten += 1
            return
        gate = self._gates[visitor.exit_gate]
        await leave(self._scanner, self._member, gate, due, self._random, is_lost=visitor.loses_exit)

    async def _arrive(self, first: float) -> None:
        due: float | None = first
        if self._visitor.oddity in {Oddity.SCREENSHOT, Oddity.FORGED}:
            await self._show_invalid_pass(first)
            due = await self._clock.pause(self._random.uniform(*_SOON_S))
        entry = await self._enter(due)
        if entry is not None and entry.answer.reason is Reason.GYM_FULL and self._visitor.comes_again:
            again = await self._clock.until_minute(self._clock.minute + AGAIN_AFTER_MINUTES)
            entry = await self._enter(again)
        if entry is not None and self._is_inside:
            await self._reuse(entry)

    async def _show_invalid_pass(self, due: float) -> None:
        now = self._clock.now()
        if self._visitor.oddity is Oddity.FORGED:
            await self._show(self._gate, self._phone.forged(now), oracle.forged(), due)
        else:
            await self._show(self._gate, self._phone.screenshot(now), oracle.stale(self._member), due)

    async def _enter(self, due: float | None) -> _Entry | None:
        """Enter; with another pass, where the one that was shown expired before it was answered."""
        for _ in range(_MAX_PASSES):
            shown = self._phone.current(self._clock.now())
            too_new_s = seconds_until_valid(shown, self._clock.now())
            if too_new_s and due is not None:
                due = await self._clock.pause(too_new_s)
            if due is None:
                return None
            expected = oracle.entry(self._member, shown, may_be_full=True)
            is_lost = self._visitor.loses_entry and self._clock.has_begun
            presentation = PassPresentation(self._gate, Direction.ENTER, shown, expected, due, is_lost)
            answer = await self._scanner.scan(presentation, self._random)
            if answer is None:
                return None
            if answer.reason is not Reason.EXPIRED_PASS:
                self._is_inside = answer.outcome is Outcome.ENTERED
                return _Entry(answer, shown)
            due = await self._clock.pause(0)
        return None

    async def _reuse(self, entry: _Entry) -> None:
        """What is tried with a phone that has just admitted its owner."""
        oddity, member, visitor = self._visitor.oddity, self._member, self._visitor
        if oddity not in {Oddity.HELD_UP, Oddity.COPIED, Oddity.PASSED_BACK}:
            return
        due = await self._clock.pause(self._random.uniform(*_SOON_S))
        if due is None:
            return
        now = self._clock.now()
        if oddity is Oddity.COPIED:
            gate = self._world.gyms[visitor.other_gym].gates[visitor.other_gate]
            await self._show(gate, entry.shown, oracle.copied(member, entry.shown, now), due)
        elif oddity is Oddity.HELD_UP:
            entered_at = entry.answer.decided_at
            if (now - entered_at).total_seconds() < _STILL_HELD_UP_S:
                expected = oracle.held_up(member, entered_at)
                await self._show(self._gate, self._phone.current(now), expected, due, is_held_up=True)
        else:
            following = self._phone.following()
            due = await self._clock.pause(seconds_until_valid(following, now))
            if due is not None:
                gate_beside = self._gates[(visitor.gate + 1) % len(self._gates)]
                await self._show(gate_beside, following, oracle.passed_back(member, following), due)

    async def _show(self, gate: Gate, shown: Pass, expected: Expected, due: float, *, is_held_up: bool = False) -> None:
        presentation = PassPresentation(gate, Direction.ENTER, shown, expected, due, is_held_up=is_held_up)
        await self._scanner.scan(presentation, self._random)


async def leave(
    scanner: Scanner, member: Member, gate: Gate, due: float, random: Random, *, is_lost: bool = False
) -> None:
    """Somebody scans on the way out."""
    shown = Phone(member, random).current(scanner.clock.now())
    presentation = PassPresentation(gate, Direction.LEAVE, shown, oracle.exit_(member), due, is_lost)
    await scanner.scan(presentation, random)
