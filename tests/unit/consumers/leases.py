"""A lease that is had, refused and lost as a test says."""

from collections.abc import Sequence

from sqlalchemy import Connection

from domain.leases import FencedStore, LeaseLostError
from domain.unit_of_work import Store


class FakeLease:
    """Answers as it is told to, one question after the other; the last answer stays.

    Args:
        store: the test's own.
        answers: whether the lease is free, or what asking for it raises; it is free where there are none.
        journal: gets a word for each question and for each time it is given back.
    """

    def __init__(
        self, store: Store, answers: Sequence[bool | Exception] = (), *, journal: list[str] | None = None
    ) -> None:
        self.store: Store = FencedStore(store, self.check)
        self.is_held = False
        self.unchecked_for_s = float("inf")
        self.journal = [] if journal is None else journal
        self.answers = list(answers or [True])

    @property
    def asked(self) -> int:
        return self.journal.count("ask")

    @property
    def released(self) -> int:
        return self.journal.count("release")

    def ask(self) -> bool:
        self.journal.append("ask")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        self.is_held = answer
        return answer

    def check(self, _connection: Connection) -> None:
        if not self.is_held:
            raise LeaseLostError("lost, says the test")

    def release(self) -> None:
        self.journal.append("release")
        self.is_held = False
