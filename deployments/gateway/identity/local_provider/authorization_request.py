"""The parameters with which an application sends a browser to the sign-in page (RFC 6749 section 4.1.1)."""

from collections.abc import Mapping
from typing import Self
from urllib.parse import urlencode

import msgspec

from deployments.http.redirect_urls import registered_redirects
from integrations.settings import Settings
from integrations.web_urls import parse_web_url


class AuthorizationRequest(msgspec.Struct, frozen=True):
    """The parameters of a sign-in. Every form carries them on, and every form that arrives is checked again.

    `scope` is accepted and ignored: the local provider issues the same tokens to every application.
    """

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    scope: str = ""
    state: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """Read the parameters from a query or a form."""
        return msgspec.convert(dict(values), cls)

    def error(self, settings: Settings) -> str | None:
        """Why the request is invalid, or None. Never redirect to `redirect_uri` before this check."""
        if self.client_id != settings.identity.client_id:
            return "The application that sent you here is unknown (client_id)."
        if self.redirect_uri not in registered_redirects(settings):
            return "The application that sent you here is unknown (redirect_uri)."
        if self.response_type != "code":
            return "Only response_type=code is supported."
        method = self.code_challenge_method
        if method not in {"", "S256"} or bool(self.code_challenge) != bool(method):
            return "A code_challenge needs code_challenge_method=S256."
        return None

    @property
    def fields(self) -> dict[str, str]:
        """The parameters that are set, for hidden form fields."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}

    @property
    def query(self) -> str:
        """The parameters that are set, for a link."""
        return urlencode(self.fields)

    @property
    def return_origin(self) -> str:
        """The origin of `redirect_uri`."""
        address = parse_web_url(self.redirect_uri)
        return address.origin if address else ""

    def redirect_with(self, code: str) -> str:
        """The URL that brings a code to the application."""
        given = urlencode({"code": code} | ({"state": self.state} if self.state else {}))
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{given}"
