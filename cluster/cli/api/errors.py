"""Errors of the commands that call the API, with their exit codes and their hints in words of the command line."""

from typing import Any

import httpx

from cluster.errors import CommandError, ExitCode
from deployments.http.error_codes import KINDS


class UsageError(CommandError):
    """The arguments do not say what to do."""

    exit_code = ExitCode.WRONG_USAGE


class NotFoundError(CommandError):
    """What the arguments name does not exist."""

    exit_code = ExitCode.NOT_FOUND


class ApiError(CommandError):
    """The API refused a call.

    Args:
        status: the HTTP status.
        code: the stable code of the problem; empty where the response is not one of FIT Monitor.
        message, hint: see `CommandError`.
    """

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code
        self.exit_code = ExitCode.NOT_FOUND if code.startswith("unknown_") else ExitCode.FAILURE


_OTHER_USER = "name a user with that role by --as EMAIL, or set FITMONITOR_TOKEN to a token of such a user"
_NEW_TOKEN = "set FITMONITOR_TOKEN to a valid token"  # noqa: S105 - a sentence
# The hints of the API's own table name HTTP calls; these name commands.
_HINTS = {
    "unauthenticated": _NEW_TOKEN,
    "session_over": _NEW_TOKEN,
    "forbidden": _OTHER_USER,
    "account_disabled": _OTHER_USER,
    "unknown_gym": "see `fitmonitor gym list`, also with --retired",
    "unknown_gate": "see `fitmonitor gate list GYM`",
    "unknown_device": "see `fitmonitor device list GYM`",
    "unknown_pairing": "a code works once and for ten minutes: create another with `fitmonitor device pair GATE`",
    "unknown_machine": "see `fitmonitor machine list GYM`, also with --retired",
    "unknown_user": "see `fitmonitor user list`; an account is listed after its first sign-in",
    "unknown_plan": "see `fitmonitor plan list`, also with --retired",
    "unknown_order": "see `fitmonitor order list MEMBER`",
    "unknown_invoice": "see `fitmonitor invoice list MEMBER`",
    "unknown_membership": "see `fitmonitor member show MEMBER`",
    "gym_not_empty": "see `fitmonitor gym inside GYM`, or retire it anyway: `fitmonitor gym retire GYM --force`",
    "gym_in_use": "use `fitmonitor gym retire GYM`, which keeps its history",
    "changed_meanwhile": "somebody else changed it first: read it again, then repeat the command if it is still right",
    "already_frozen": "end the freeze with `fitmonitor member unfreeze MEMBER`",
    "freeze_too_long": "",
    "order_not_paid": "see its state with `fitmonitor order show ORDER`",
    "too_many_open_orders": "see `fitmonitor order list MEMBER`",
    "refund_too_large": "see earlier refunds with `fitmonitor order show ORDER`",
    "not_reversible": "refund it: `fitmonitor order refund ORDER --reason …`",
    "no_answer_in_time": "it may have been done: check, then repeat the command",
    "idempotency_key_reused": "leave --key out, or repeat exactly the same command",
    "invalid_request": "",
}


def api_error(response: httpx.Response) -> ApiError:
    """The error for a response that is not a success."""
    problem = _problem(response)
    code = str(problem.get("code", ""))
    if not code:
        url = response.request.url.copy_with(query=None)
        return ApiError(
            response.status_code,
            "",
            f"the response of {url} is not one of FIT Monitor ({response.status_code})",
            "check FITMONITOR_URL and `fitmonitor status`",
        )
    message, hint = _message(problem), _hint(code)
    return ApiError(response.status_code, code, message, "" if hint.rstrip(".") in message else hint)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _message(problem: dict[str, Any]) -> str:
    text = str(problem.get("detail") or problem.get("title") or problem["code"]).strip().removesuffix(".")
    details = [f"{field['field']} {field['detail']}".strip() for field in problem.get("fields") or ()]
    if problem["code"] == "internal_error":
        details.append(f"request {problem.get('request_id', '?')}")
    return f"{text} ({'; '.join(details)})" if details else text


def _hint(code: str) -> str:
    if code in _HINTS:
        return _HINTS[code]
    kind = KINDS.get(code)
    if kind is None or "`" in kind.hint:  # a code of a later version, or a hint that names HTTP calls
        return ""
    return kind.hint[:1].lower() + kind.hint[1:].removesuffix(".")
