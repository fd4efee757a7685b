"""Refusals of the domain, which are values, as problems of the interface."""

from typing import TypeVar

from deployments.gateway.problems import ApiProblem
from domain.gyms.model import GymRefusal

T = TypeVar("T")


def granted(answer: T | GymRefusal) -> T:
    """The answer, when it is one.

    Raises:
        ApiProblem: with the refusal's own code.
    """
    if isinstance(answer, GymRefusal):
        raise ApiProblem(answer.problem.value, answer.detail)
    return answer
