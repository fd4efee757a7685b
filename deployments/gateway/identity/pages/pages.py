"""The local provider's pages: sign in, sign up, confirm an address, set a forgotten password."""

from collections.abc import Mapping
from html import escape

from deployments.gateway.identity.authorization_request import AuthorizationRequest
from deployments.gateway.identity.pages.layout import Field, Form, page

_HINT = "12 to 128 characters. Length counts, not composition."
_CODE_ATTRIBUTES = ' inputmode="numeric" autocapitalize="off" spellcheck="false" maxlength="64"'
_LENGTH = ' minlength="12" maxlength="128"'


def sign_in_page(
    asked: AuthorizationRequest,
    email: str = "",
    *,
    base: str = "",
    errors: Mapping[str, str] | None = None,
    wrong: str = "",
    done: str = "",
) -> str:
    """Sign in.

    Args:
        asked: by an application.
        email: what was entered before.
        base: the folder of the other pages, relative to this one.
        errors: what is wrong, by field.
        wrong: why the last attempt did not succeed.
        done: what was done before.
    """
    errors = errors or {}
    fields = [
        _email(email),
        Field("password", "Password", "password", "current-password", attributes=' maxlength="256"'),
    ]
    form = Form(f"{base}login", asked.fields, fields, "Sign in").html(errors)
    links = _links(asked, base, ("forgotPassword", "Forgot your password?"), ("signup", "Create an account"))
    own = "<p class=hint>The sign-in page of this installation's own identity provider.</p>"
    return page("Sign in", form + links + own, wrong=wrong, done=done, is_wrong=bool(errors))


def sign_up_page(
    asked: AuthorizationRequest,
    email: str = "",
    name: str = "",
    *,
    errors: Mapping[str, str] | None = None,
    wrong: str = "",
) -> str:
    """Create an account; arguments as of `sign_in_page`."""
    errors = errors or {}
    fields = [
        Field("name", "Name", "text", "name", name, attributes=' maxlength="200"'),
        _email(email),
        _new_password(),
    ]
    form = Form("signup", asked.fields, fields, "Create an account").html(errors)
    links = _links(asked, "", ("login", "You have an account? Sign in"))
    return page("Create an account", form + links, wrong=wrong, is_wrong=bool(errors))


def confirm_page(
    asked: AuthorizationRequest,
    email: str,
    sign_up_id: str,
    *,
    errors: Mapping[str, str] | None = None,
    wrong: str = "",
    done: str = "",
) -> str:
    """Enter the code of a sign-up; arguments as of `sign_in_page`."""
    errors = errors or {}
    hidden = {**asked.fields, "email": email, "sign_up_id": sign_up_id}
    form = Form("confirm", hidden, [_code()], "Confirm", ("resend", "Send another code")).html(errors)
    told = f"<p>Enter the code from the mail to <strong>{escape(email)}</strong>.</p>"
    links = _links(asked, "", ("signup", "Use another address"), ("login", "Sign in"))
    return page("Confirm your address", told + form + links, wrong=wrong, done=done, is_wrong=bool(errors))


def forgot_page(
    asked: AuthorizationRequest, email: str = "", *, errors: Mapping[str, str] | None = None, wrong: str = ""
) -> str:
    """Ask for a code to set a new password with; arguments as of `sign_in_page`."""
    errors = errors or {}
    form = Form("forgotPassword", asked.fields, [_email(email)], "Send a code").html(errors)
    links = _links(asked, "", ("login", "Sign in"))
    return page("Forgotten password", form + links, wrong=wrong, is_wrong=bool(errors))


def reset_page(
    asked: AuthorizationRequest,
    email: str,
    reset_id: str,
    *,
    errors: Mapping[str, str] | None = None,
    wrong: str = "",
) -> str:
    """Set a new password by the code; arguments as of `sign_in_page`."""
    errors = errors or {}
    hidden = {**asked.fields, "reset_id": reset_id}
    # Password managers keep the new password under the address that stands beside it.
    address = Field("email", "E-mail", "email", "username", email, attributes=" readonly")
    form = Form("confirmForgotPassword", hidden, [address, _code(), _new_password()], "Set the password").html(errors)
    told = "<p>If this address has an account, a mail with a code is on its way.</p>"
    links = _links(asked, "", ("forgotPassword", "Send another code"), ("login", "Sign in"))
    return page("Set a new password", told + form + links, wrong=wrong, is_wrong=bool(errors))


def refusal_page(why: str) -> str:
    """What is shown in place of a form."""
    return page("Sign in", "", wrong=why)


def _email(value: str) -> Field:
    return Field("email", "E-mail", "email", "username", value, attributes=' maxlength="254" spellcheck="false"')


def _new_password() -> Field:
    return Field("password", "New password", "password", "new-password", "", _HINT, _LENGTH)


def _code() -> Field:
    return Field("code", "Code", "text", "one-time-code", attributes=_CODE_ATTRIBUTES)


def _links(asked: AuthorizationRequest, base: str, *links: tuple[str, str]) -> str:
    shown = (f'<a href="{base}{path}?{escape(asked.query)}">{escape(text)}</a>' for path, text in links)
    return f"<p>{'<br>'.join(shown)}</p>"
