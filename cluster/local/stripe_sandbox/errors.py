"""What Stripe answers when it refuses."""

from typing import Any


class StripeRefusal(Exception):  # noqa: N818 - it is Stripe's answer, not a failure of ours
    """An answer in Stripe's shape.

    Args:
        status: of HTTP.
        kind: Stripe's `type`.
        code: Stripe's own, where there is one.
        param: which parameter is to blame.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {
            "error": {
                "type": kind,
                "message": message,
                **({"code": code} if code else {}),
                **({"param": param} if param else {}),
            }
        }


def missing(kind: str, object_id: str) -> StripeRefusal:
    """There is no such object."""
    return StripeRefusal(404, f"No such {kind}: '{object_id}'", code="resource_missing", param="id")


def invalid(param: str, message: str, code: str | None = None) -> StripeRefusal:
    """A parameter does not fit."""
    return StripeRefusal(400, message, code=code, param=param)
