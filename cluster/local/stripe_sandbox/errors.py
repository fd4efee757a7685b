"""Refusals in the shape of Stripe's errors (docs.stripe.com/api/errors)."""

from typing import Any

INVALID = "invalid_request_error"
_NOT_FOUND = 404


class SandboxError(Exception):
    """A call that is answered with an error.

    Args:
        message: what a person reads.
        status: of the HTTP answer.
        kind: Stripe's `type`.
        code: Stripe's `code`, if it has one for this.
        param: the parameter that is at fault, as it was sent: `line_items[0][quantity]`.
        began: whether the call was being carried out when it failed. Only then does an idempotency key keep the error.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = INVALID,
        code: str | None = None,
        param: str | None = None,
        began: bool = True,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.began = began

    @property
    def body(self) -> dict[str, Any]:
        """What is answered."""
        error = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


class InvalidParameterError(SandboxError):
    """A parameter is wrong by itself: nothing was begun."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(message, code=code, param=param, began=False)


class MissingResourceError(SandboxError):
    """What was asked for is not there.

    Args:
        kind: Stripe's `object`.
        asked: the id, which is told back.
        param: the parameter that named it.
        status: 404 where the call names it, 400 where a list begins at it.
    """

    def __init__(self, kind: str, asked: str, param: str, status: int = _NOT_FOUND) -> None:
        super().__init__(
            f"No such {kind}: '{asked}'",
            status=status,
            code="resource_missing",
            param=param,
            began=status == _NOT_FOUND,
        )


class UnauthorizedError(SandboxError):
    """The key is missing, wrong, or a live one; it is never told back."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=401, began=False)
