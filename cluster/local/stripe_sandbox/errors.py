"""Errors in the shape of Stripe's (https://docs.stripe.com/api/errors)."""

from typing import Any


class SandboxError(Exception):
    """A request that gets an error as its response.

    Args:
        message: for a person.
        status: of the HTTP response.
        kind: Stripe's `type`.
        code: Stripe's `code`, if it has one for this error.
        param: the wrong parameter as the client names it: `line_items[0][quantity]`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the response."""
        error = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


class MissingResourceError(SandboxError):
    """There is no such object. `kind` is Stripe's `object`; `param` is the parameter that holds the id."""

    def __init__(self, kind: str, object_id: str, param: str = "id") -> None:
        super().__init__(f"No such {kind}: '{object_id}'", status=404, code="resource_missing", param=param)


class UnauthorizedError(SandboxError):
    """The API key is missing, wrong or live. The message never repeats the key."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=401)
