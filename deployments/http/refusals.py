"""Converts refusals of the domain, which are values, to problems of the API."""

from typing import TypeVar

from deployments.http.error_codes import KINDS
from deployments.http.problems import ApiProblem, retryable
from domain.gyms.model import GymRefusal
from domain.identity.model import IdentityRefusal
from domain.images.model import ImageRefusal
from domain.memberships.refusals import MembershipRefusal
from domain.payments.model import PaymentRefusal

T = TypeVar("T")
Refusal = GymRefusal | IdentityRefusal | ImageRefusal | MembershipRefusal | PaymentRefusal
_UNAVAILABLE = 503
_IMAGES_RETRY_S, _PAYMENTS_RETRY_S = 5, 300  # a missing payment key needs an operator


def raise_on_refusal(answer: T | Refusal) -> T:
    """Return the answer of a service unless it is a refusal.

    Raises:
        ApiProblem: with the code of the refusal.
    """
    if isinstance(answer, Refusal):
        raise problem_of(answer)
    return answer


def problem_of(refusal: Refusal) -> ApiProblem:
    """The problem of a refusal, with `Retry-After` where the same call can succeed later."""
    code = refusal.problem.value
    seconds: int | None = None
    if isinstance(refusal, IdentityRefusal):
        seconds = refusal.retry_after_s
    elif KINDS[code].status == _UNAVAILABLE:
        seconds = _IMAGES_RETRY_S if isinstance(refusal, ImageRefusal) else _PAYMENTS_RETRY_S
    return ApiProblem(code, refusal.detail) if seconds is None else retryable(code, refusal.detail, seconds=seconds)


def found(value: T | None, code: str) -> T:
    """Return a value that a look-up has found.

    Raises:
        ApiProblem: with this code, when there is none.
    """
    if value is None:
        raise ApiProblem(code, f"{KINDS[code].title}.")
    return value
