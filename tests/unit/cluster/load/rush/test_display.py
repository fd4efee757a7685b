"""What is seen of a rush while it goes on."""

import asyncio
import io
from datetime import UTC, datetime

from rich.console import Console

from cluster.load.oracle import AnswerLog
from cluster.load.rush.display import Display
from cluster.load.rush.log import RecordedScan, RushLog, Stage
from cluster.load.rush.simulated_clock import SimulatedClock
from cluster.load.world import Gym, World
from domain.door.model import Outcome, Reason, ScanAnswer
from domain.ids import new_id

WORLD = World("", new_id(), tuple(Gym(new_id(), f"Rush gym {number + 1}", 4, ()) for number in range(3)), ())


def log_of_a_refusal() -> RushLog:
    answer = ScanAnswer(
        "1", Outcome.REFUSED, Reason.GYM_FULL, None, None, WORLD.gyms[0].id, 4, 4, datetime.now(UTC), replayed=False
    )
    record = RecordedScan(Stage.RUSH, WORLD.gyms[0].id, 1.0, 0.0, 0.02, 0.0, 0, answer)
    first, second, _ = WORLD.gym_ids
    inside = {new_id(): first for _ in range(4)} | {new_id(): second}
    return RushLog(records=[record], answers=AnswerLog(inside=inside))


def seen(console: Console, times: int = 1) -> str:
    async def show() -> None:
        clock = SimulatedClock(60, 60)
        clock.begin()
        with Display(WORLD, console) as display:
            for _ in range(times):
                display.show(Stage.RUSH, clock, log_of_a_refusal())

    asyncio.run(show())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_each_gym_and_the_refusals() -> None:
    shown = seen(Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None))
    assert "Rush gym 1" in shown
    assert "4 of 4" in shown
    assert "1 of 4" in shown
    assert "refused: gym_full 1" in shown
    assert "16:55" in shown
    assert "p99 20 ms" in shown


def test_elsewhere_there_is_a_line_now_and_then() -> None:
    shown = seen(Console(file=io.StringIO(), width=200), times=5)
    assert shown.count("\n") == 1
    assert "16:55" in shown
    assert "5 inside" in shown
