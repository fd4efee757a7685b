"""What one person does: each of their scans waits for the answer to the one before, and for nobody else's."""

from random import Random

from cluster.load import oracle as expected
from cluster.load.oracle import Must
from cluster.load.passes import Code
from cluster.load.rush.books import Stage
from cluster.load.rush.desk import Desk, Showing
from cluster.load.rush.phones import Phone
from cluster.load.rush.visitors import AGAIN_AFTER_MINUTES, GATES_A_GYM, Oddity, Visitor
from cluster.load.rush.world import RushGate, RushMember
from domain.door.model import Direction, Outcome, Reason, ScanAnswer

# Real seconds between an entry and what is tried with its phone: the doors' windows are real.
SOON_S = (0.3, 3.0)
_STILL_HELD_UP_S = 10.0  # well within the door's 15 s
_CODES = 3  # that are shown one after the other, where one got stale on the way


class Visit:
    """One person's evening.

    Args:
        desk: shared with the others.
        visitor: what the plan says of them.
        seed: of what they do by chance.
    """

    def __init__(self, desk: Desk, visitor: Visitor, seed: int) -> None:
        self._desk = desk
        self._pace = desk.pace
        self._visitor = visitor
        self._member = desk.world.members[visitor.member]
        self._random = Random(f"{seed} {visitor.member}")  # noqa: S311 - draws behaviour, guards nothing
        self._phone = Phone(self._member, self._random)
        self._gates = desk.world.gyms[visitor.gym].gates
        self._is_inside = False

    async def come_before(self, second: float) -> None:
        """Come in at a real second, before simulated time runs."""
        due = await self._pace.until_second(second)
        if due is not None:
            await self._enter(due, Stage.FILLING)

    async def spend(self) -> None:
        """The evening as planned, as far as it goes."""
        visitor = self._visitor
        if visitor.arrives >= 0:
            due = await self._pace.until_minute(visitor.arrives)
            if due is None:
                return
            await self._arrive(due)
        if not self._is_inside:
            return
        due = await self._pace.until_minute(max(visitor.leaves, self._pace.minute))
        if due is None:
            return
        if visitor.forgets:
            self._desk.books.forgotten += 1
            return
        gate, lost = self._gates[visitor.exit_gate], visitor.loses_exit
        await leave(self._desk, self._member, gate, due, Stage.RUSH, self._random, is_lost=lost)

    async def _arrive(self, first: float) -> None:
        due: float | None = first
        if self._visitor.oddity in {Oddity.SCREENSHOT, Oddity.FORGED}:
            await self._show_what_is_not_good(first)
            due = await self._pace.pause(self._random.uniform(*SOON_S))
        entered = await self._enter(due, Stage.RUSH)
        if entered is not None and entered[0].reason is Reason.GYM_FULL and self._visitor.comes_again:
            again = await self._pace.until_minute(self._pace.minute + AGAIN_AFTER_MINUTES)
            entered = await self._enter(again, Stage.RUSH)
        if entered is not None and self._is_inside:
            await self._use_again(*entered)

    async def _show_what_is_not_good(self, due: float) -> None:
        now = self._pace.now()
        if self._visitor.oddity is Oddity.FORGED:
            await self._show(self._gates[self._visitor.gate], self._phone.forged(now), expected.forged(), due)
        else:
            picture = self._phone.screenshot(now)
            await self._show(self._gates[self._visitor.gate], picture, expected.stale(self._member), due)

    async def _enter(self, due: float | None, stage: Stage) -> tuple[ScanAnswer, Code] | None:
        """Come in; with another code, where the one that was shown got stale before anybody heard of it."""
        gate, member, lost = self._gates[self._visitor.gate], self._member, self._visitor.loses_entry
        for _ in range(_CODES):
            code = self._phone.code(self._pace.now())
            too_new = self._phone.wait_for(code, self._pace.now())
            if too_new and due is not None:
                due = await self._pace.pause(too_new)
            if due is None:
                return None
            must = expected.entry(member, code)
            is_lost = lost and stage is Stage.RUSH
            answer = await self._desk.scan(
                Showing(gate, Direction.ENTER, code, must, due, stage, is_lost), self._random
            )
            if answer is None:
                return None
            if answer.reason is not Reason.EXPIRED_PASS:
                self._is_inside = answer.outcome is Outcome.ENTERED
                return answer, code
            due = await self._pace.pause(0)
        return None

    async def _use_again(self, entered: ScanAnswer, code: Code) -> None:
        """What is tried with a phone that has just let its owner in."""
        oddity, member, visitor = self._visitor.oddity, self._member, self._visitor
        if oddity not in {Oddity.HELD_UP, Oddity.COPIED, Oddity.PASSED_BACK}:
            return
        due = await self._pace.pause(self._random.uniform(*SOON_S))
        if due is None:
            return
        if oddity is Oddity.COPIED:
            gate = self._desk.world.gyms[visitor.other_gym].gates[visitor.other_gate]
            await self._show(gate, code, expected.copied(member, code, self._pace.now()), due)
        elif oddity is Oddity.HELD_UP:
            now = self._pace.now()
            if (now - entered.decided_at).total_seconds() < _STILL_HELD_UP_S:
                must = expected.held_up(member, entered.decided_at)
                await self._show(self._gates[visitor.gate], self._phone.code(now), must, due, is_held_up=True)
        else:
            following = self._phone.next_code()
            due = await self._pace.pause(self._phone.wait_for(following, self._pace.now()))
            if due is not None:
                await self._show(self._gate_beside(), following, expected.passed_back(member, following), due)

    async def _show(self, gate: RushGate, code: Code, must: Must, due: float, *, is_held_up: bool = False) -> None:
        showing = Showing(gate, Direction.ENTER, code, must, due, Stage.RUSH, is_held_up=is_held_up)
        await self._desk.scan(showing, self._random)

    def _gate_beside(self) -> RushGate:
        return self._gates[(self._visitor.gate + 1) % GATES_A_GYM]


async def leave(
    desk: Desk, member: RushMember, gate: RushGate, due: float, stage: Stage, random: Random, *, is_lost: bool = False
) -> None:
    """Somebody scans out."""
    code = Phone(member, random).code(desk.pace.now())
    await desk.scan(Showing(gate, Direction.LEAVE, code, expected.exit_(member), due, stage, is_lost), random)
