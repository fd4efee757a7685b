"""Tries to sign in, counted around what is tried."""

from collections.abc import Callable
from datetime import timedelta
from math import ceil
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from domain.clock import Clock
from domain.identity.attempts import AttemptLimits, AttemptRepository, Counted, counted
from domain.identity.model import Client, IdentityProblem, IdentityRefusal
from integrations.settings import IdentitySettings

R = TypeVar("R")
T = TypeVar("T")

# `NOT_CONFIRMED`: anybody can sign an address up, and knows the password of that sign-up.
_WRONG = {IdentityProblem.WRONG_CREDENTIALS, IdentityProblem.WRONG_CODE, IdentityProblem.NOT_CONFIRMED}


class Written(Protocol):
    """Runs a use case in a unit of work of its own."""

    def __call__(self, use_case: Callable[[Connection], R], /) -> R:
        """What it answers."""


class Tries:
    """Holds off whoever has tried too often, by account and by address, whether or not there is such an account.

    A try is counted before it is made and taken back once it was right: of many at once each counts.

    Args:
        written: see there.
        limits: of wrong tries.
        clock: the present.
    """

    def __init__(self, written: Written, limits: IdentitySettings, clock: Clock) -> None:
        self._written = written
        self._clock = clock
        self._limits = AttemptLimits(
            limits.free_attempts, limits.free_attempts_of_address, timedelta(seconds=limits.longest_delay_s)
        )

    def of(self, email: str, client: Client, attempt: Callable[[], T | IdentityRefusal]) -> T | IdentityRefusal:
        """What an attempt gives, or that it is not looked at for now."""
        what = counted(email, client.network)
        refusal = self._counted(what)
        if refusal is not None:
            return refusal
        result = attempt()
        if not (isinstance(result, IdentityRefusal) and result.problem in _WRONG):
            self._written(lambda connection: AttemptRepository(connection).forgive(what, self._limits))
        return result

    def without_proof(self, email: str, client: Client) -> IdentityRefusal | None:
        """Count what shows nothing that could be right or wrong, such as asking for a code."""
        return self._counted(counted(email, client.network))

    def _counted(self, what: list[Counted]) -> IdentityRefusal | None:
        def use_case(connection: Connection) -> timedelta:
            tries, now = AttemptRepository(connection), self._clock()
            wait = tries.wait(what, now)
            if not wait:
                tries.count(what, self._limits, now)
            return wait

        wait = self._written(use_case)
        if not wait:
            return None
        seconds = max(1, ceil(wait.total_seconds()))
        return IdentityRefusal(
            IdentityProblem.TOO_MANY_ATTEMPTS, f"Too many tries. The next one is looked at in {seconds} s.", seconds
        )
