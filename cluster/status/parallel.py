"""Questions asked side by side, each with a time limit, none of which can spoil another."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster.errors import CommandError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What became of one question: a value, or why there is none."""

    value: T | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """One question.

    Args:
        ask: answers it; may take as long as it likes and raise what it likes.
        good_for_s: for how long a value is given again, in seconds, because asking costs or nothing new is told sooner.
    """

    ask: Callable[[], T]
    good_for_s: float = 0.0


class Questions:
    """Asks all at once and waits for none longer than the limit.

    One that is still on its way when it is wanted again is not asked a second time: a server that hangs must not
    gather threads.

    Args:
        questions: by name.
        within_s: the limit, in seconds.
    """

    def __init__(self, questions: Mapping[str, Question[object]], within_s: float) -> None:
        self._questions = dict(questions)
        self._within_s = within_s
        self._asking: dict[str, _Asking] = {}

    def ask(self) -> dict[str, Answer[object]]:
        """The answers by name; the call ends within the limit."""
        now = time.monotonic()
        for name, question in self._questions.items():
            last = self._asking.get(name)
            if last is None or last.is_over(now, question.good_for_s):
                self._asking[name] = _Asking(question)
        until = now + self._within_s
        return {name: self._answer(asking, until) for name, asking in self._asking.items()}

    def _answer(self, asking: "_Asking", until: float) -> Answer[object]:
        asking.done.wait(max(0.0, until - time.monotonic()))
        return asking.answer or Answer(trouble=f"no answer within {self._within_s:g} s")


class _Asking:
    """One asking, in a thread that does not keep the command from ending."""

    def __init__(self, question: Question[object]) -> None:
        self._question = question
        self._answered_at = 0.0
        self.answer: Answer[object] | None = None
        self.done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def is_over(self, now: float, good_for_s: float) -> bool:
        if self.answer is None:
            return False
        return bool(self.answer.trouble) or now - self._answered_at >= good_for_s

    def _run(self) -> None:
        answer: Answer[object]
        try:
            answer = Answer(self._question.ask())
        except CommandError as error:
            answer = Answer(trouble=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are told
            first = str(error).partition("\n")[0]
            answer = Answer(trouble=f"{type(error).__name__}: {first}".removesuffix(": "))
        self._answered_at = time.monotonic()
        self.answer = answer
        self.done.set()
