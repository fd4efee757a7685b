"""Refusals of the domain, which are values, as problems of the interface."""

from typing import TypeVar

from deployments.gateway.problem_kinds import KINDS
from deployments.gateway.problems import ApiProblem, later
from domain.gyms.model import GymRefusal
from domain.identity.model import IdentityRefusal
from domain.images import ImageRefusal

T = TypeVar("T")
_FOR_NOW = 503


def granted(answer: T | GymRefusal | IdentityRefusal | ImageRefusal) -> T:
    """The answer, when it is one.

    Raises:
        ApiProblem: with the refusal's own code.
    """
    if isinstance(answer, IdentityRefusal) and answer.retry_after_s is not None:
        raise later(answer.problem.value, answer.detail, seconds=answer.retry_after_s)
    if isinstance(answer, ImageRefusal) and KINDS[answer.problem].status == _FOR_NOW:
        raise later(answer.problem.value, answer.detail, seconds=5)
    if isinstance(answer, GymRefusal | IdentityRefusal | ImageRefusal):
        raise ApiProblem(answer.problem.value, answer.detail)
    return answer
