"""The pages of the local provider: sign-in, sign-up, confirmation and forgotten passwords."""

from html import escape

from deployments.gateway.identity.local_provider.authorization_request import AuthorizationRequest
from deployments.gateway.identity.local_provider.html import Feedback, Field, Form, page

_HINT = "12 to 128 characters of any kind."
_CODE_ATTRIBUTES = ' inputmode="numeric" autocapitalize="off" spellcheck="false" maxlength="64"'
_LENGTH = ' minlength="12" maxlength="128"'


def sign_in_page(request: AuthorizationRequest, feedback: Feedback, email: str = "", base: str = "") -> str:
    """The sign-in page.

    Args:
        request: the request of the application.
        feedback: the result of the last attempt.
        email: the address that was entered before.
        base: the path of the other pages, relative to this page.
    """
    password = Field("password", "Password", "password", "current-password", attributes=' maxlength="256"')
    form = Form(f"{base}login", request.fields, [_email(email), password], "Sign in").html(feedback.errors)
    links = _links(request, base, ("forgotPassword", "Forgot your password?"), ("signup", "Create an account"))
    note = "<p class=hint>The sign-in page of this installation's own identity provider.</p>"
    return page("Sign in", form + links + note, feedback)


def sign_up_page(request: AuthorizationRequest, feedback: Feedback, email: str = "", name: str = "") -> str:
    """The page to create an account; arguments as in `sign_in_page`."""
    fields = [
        Field("name", "Name", "text", "name", name, attributes=' maxlength="200"'),
        _email(email),
        _new_password(),
    ]
    form = Form("signup", request.fields, fields, "Create an account").html(feedback.errors)
    return page("Create an account", form + _links(request, "", ("login", "Have an account? Sign in")), feedback)


def confirm_page(request: AuthorizationRequest, feedback: Feedback, email: str, sign_up_id: str) -> str:
    """The page to enter the code of a sign-up; arguments as in `sign_in_page`."""
    hidden = {**request.fields, "email": email, "sign_up_id": sign_up_id}
    form = Form("confirm", hidden, [_code()], "Confirm", ("resend", "Send a new code")).html(feedback.errors)
    text = f"<p>Enter the code from the e-mail to <strong>{escape(email)}</strong>.</p>"
    links = _links(request, "", ("signup", "Use another address"), ("login", "Sign in"))
    return page("Confirm your address", text + form + links, feedback)


def forgot_page(request: AuthorizationRequest, feedback: Feedback, email: str = "") -> str:
    """The page to request a code for a new password; arguments as in `sign_in_page`."""
    form = Form("forgotPassword", request.fields, [_email(email)], "Send a code").html(feedback.errors)
    return page("Forgotten password", form + _links(request, "", ("login", "Sign in")), feedback)


def reset_page(request: AuthorizationRequest, feedback: Feedback, email: str, reset_id: str) -> str:
    """The page to set a new password with a code; arguments as in `sign_in_page`."""
    hidden = {**request.fields, "reset_id": reset_id}
    # Password managers store the new password with the address next to it.
    address = Field("email", "E-mail", "email", "username", email, attributes=" readonly")
    fields = [address, _code(), _new_password()]
    form = Form("confirmForgotPassword", hidden, fields, "Set the password").html(feedback.errors)
    text = "<p>If this address has an account, we have sent it an e-mail with a code.</p>"
    links = _links(request, "", ("forgotPassword", "Send a new code"), ("login", "Sign in"))
    return page("Set a new password", text + form + links, feedback)


def refusal_page(why: str) -> str:
    """The page that is shown in place of a form."""
    return page("Sign in", "", Feedback({}, problem=why))


def _email(value: str) -> Field:
    return Field("email", "E-mail", "email", "username", value, attributes=' maxlength="254" spellcheck="false"')


def _new_password() -> Field:
    return Field("password", "New password", "password", "new-password", "", _HINT, _LENGTH)


def _code() -> Field:
    return Field("code", "Code", "text", "one-time-code", attributes=_CODE_ATTRIBUTES)


def _links(request: AuthorizationRequest, base: str, *links: tuple[str, str]) -> str:
    shown = (f'<a href="{base}{path}?{escape(request.query)}">{escape(text)}</a>' for path, text in links)
    return f"<p>{'<br>'.join(shown)}</p>"
