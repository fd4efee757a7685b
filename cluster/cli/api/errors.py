"""What the API refuses, as one line with its mend, and what a command then ends with."""

from typing import Any

import httpx

from cluster.errors import CommandError
from deployments.gateway.problem_kinds import KINDS

FAILED, WRONG_USE, NOT_FOUND = 1, 2, 4


class WrongUseError(CommandError):
    """The words do not say what is to be done."""

    exit_code = WRONG_USE


class NotFoundError(CommandError):
    """What was named is not there."""

    exit_code = NOT_FOUND


class RefusedError(CommandError):
    """The API refused a call.

    Args:
        status: of HTTP.
        code: the problem's own, stable; empty where the answer was none of this system.
        message, mend: see `CommandError`.
    """

    def __init__(self, status: int, code: str, message: str, mend: str = "") -> None:
        super().__init__(message, mend)
        self.status = status
        self.code = code
        self.exit_code = NOT_FOUND if code.startswith("unknown_") else FAILED


_WHO = "name somebody who may with --as EMAIL, or set FITMONITOR_TOKEN to a token of theirs"
_AGAIN = "set FITMONITOR_TOKEN to a token that is good now"
# In words of the command line; what the interface's own table advises speaks of its calls.
_MENDS = {
    "unauthenticated": _AGAIN,
    "session_over": _AGAIN,
    "forbidden": _WHO,
    "account_disabled": _WHO,
    "unknown_gym": "see `fitmonitor gym list`, also with --retired",
    "unknown_gate": "see `fitmonitor gate list GYM`",
    "unknown_device": "see `fitmonitor device list GYM`",
    "unknown_pairing": "a code is good once and for ten minutes: `fitmonitor device pair GATE` makes another",
    "unknown_machine": "see `fitmonitor machine list GYM`, also with --retired",
    "unknown_user": "see `fitmonitor user list`; whoever never signed in is not there yet",
    "unknown_plan": "see `fitmonitor plan list`, also with --retired",
    "unknown_order": "see `fitmonitor order list MEMBER`",
    "unknown_invoice": "see `fitmonitor invoice list MEMBER`",
    "unknown_membership": "see `fitmonitor member show MEMBER`",
    "gym_not_empty": "see `fitmonitor gym inside GYM`; `fitmonitor gym retire GYM --force` retires it nevertheless",
    "gym_in_use": "`fitmonitor gym retire GYM` keeps its past",
    "changed_meanwhile": "somebody else was first: look at it again, and repeat the command if it is still right",
    "already_frozen": "`fitmonitor member unfreeze MEMBER` ends it",
    "freeze_too_long": "",
    "order_not_paid": "`fitmonitor order show ORDER` says where it is",
    "too_many_open_orders": "see `fitmonitor order list MEMBER`",
    "refund_too_large": "`fitmonitor order show ORDER` says what was given back already",
    "not_reversible": "give the money back: `fitmonitor order refund ORDER --reason …`",
    "no_answer_in_time": "whether it was done is not known: look, and repeat the command",
    "idempotency_key_reused": "leave --key out, or repeat the very same command",
    "invalid_request": "",
}


def refusal_of(answer: httpx.Response) -> RefusedError:
    """The error that an answer other than a success stands for."""
    problem = _problem(answer)
    code = str(problem.get("code", ""))
    if not code:
        where = answer.request.url.copy_with(query=None)
        return RefusedError(
            answer.status_code,
            "",
            f"{where} does not answer as this system does ({answer.status_code})",
            "see FITMONITOR_URL and `fitmonitor status`",
        )
    message = _sentence(problem)
    mend = _mend(code)
    return RefusedError(answer.status_code, code, message, "" if mend.rstrip(".") in message else mend)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _sentence(problem: dict[str, Any]) -> str:
    told = str(problem.get("detail") or problem.get("title") or problem["code"]).strip().removesuffix(".")
    faults = [f"{fault['field']} {fault['detail']}".strip() for fault in problem.get("fields") or ()]
    if problem["code"] == "internal_error":
        faults.append(f"request {problem.get('request_id', '?')}")
    return f"{told} ({'; '.join(faults)})" if faults else told


def _mend(code: str) -> str:
    if code in _MENDS:
        return _MENDS[code]
    kind = KINDS.get(code)
    if kind is None or "`" in kind.mend:  # of a later version; or it speaks of calls
        return ""
    return kind.mend[:1].lower() + kind.mend[1:].removesuffix(".")
