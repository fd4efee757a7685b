"""A lease that is acquired, refused and lost as a test says."""

from collections.abc import Sequence

from sqlalchemy import Connection

from domain.leases import FencedStore, LeaseLostError
from domain.unit_of_work import Store
from integrations.lease import Lease


class FakeLease(Lease):
    """Gives the answers of a test, one per attempt. The last answer repeats.

    Args:
        store: the test's own.
        answers: whether the lease is free, or the error of the attempt; without any it is free.
        journal: gets a word for each attempt and for each release.
    """

    is_held = False
    seconds_since_check = float("inf")

    def __init__(
        self, store: Store, answers: Sequence[bool | Exception] = (), *, journal: list[str] | None = None
    ) -> None:
        self.store: Store = FencedStore(store, self.check)
        self.journal = [] if journal is None else journal
        self.answers = list(answers or [True])

    @property
    def attempts(self) -> int:
        return self.journal.count("try_acquire")

    @property
    def releases(self) -> int:
        return self.journal.count("release")

    def try_acquire(self) -> bool:
        self.journal.append("try_acquire")
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
