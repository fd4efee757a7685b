"""Refusals of the domain, which are values, as problems of the interface."""

from typing import TypeVar

from deployments.http.problem_kinds import KINDS
from deployments.http.problems import ApiProblem, later
from domain.gyms.model import GymRefusal
from domain.identity.model import IdentityRefusal
from domain.images.model import ImageRefusal
from domain.memberships.refusals import MembershipRefusal
from domain.payments.model import PaymentRefusal

T = TypeVar("T")
Refusal = GymRefusal | IdentityRefusal | ImageRefusal | MembershipRefusal | PaymentRefusal
_FOR_NOW = 503
_SOON_S, _MUCH_LATER_S = 5, 300


def granted(answer: T | Refusal) -> T:
    """The answer, when it is one.

    Raises:
        ApiProblem: with the refusal's own code.
    """
    if isinstance(answer, IdentityRefusal) and answer.retry_after_s is not None:
        raise later(answer.problem.value, answer.detail, seconds=answer.retry_after_s)
    if isinstance(answer, ImageRefusal | PaymentRefusal) and KINDS[answer.problem].status == _FOR_NOW:
        # What is not set up is not set up a moment later.
        seconds = _SOON_S if isinstance(answer, ImageRefusal) else _MUCH_LATER_S
        raise later(answer.problem.value, answer.detail, seconds=seconds)
    if isinstance(answer, Refusal):
        raise ApiProblem(answer.problem.value, answer.detail)
    return answer
