"""What an application sends a browser with to the local provider's pages (RFC 6749 section 4.1.1)."""

from collections.abc import Mapping
from typing import Self
from urllib.parse import urlencode

import msgspec

from deployments.http.redirect_urls import may_return_to
from integrations.settings import Settings
from integrations.web_urls import parse_web_url


class AuthorizationRequest(msgspec.Struct, frozen=True):
    """The parameters of a sign-in. They travel through every form, and are checked anew by each that receives them.

    `scope` is accepted and not used: the local provider gives every application the same tokens.
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
        """Picked out of a query or a form."""
        return msgspec.convert(dict(values), cls)

    def wrong(self, settings: Settings) -> str | None:
        """Why it is not accepted, if so. Nothing is sent to a `redirect_uri` before this was asked."""
        if self.client_id != settings.identity.client_id:
            return "The application that sent you here is not known (client_id)."
        if not may_return_to(settings, self.redirect_uri):
            return "The application that sent you here is not known (redirect_uri)."
        if self.response_type != "code":
            return "Only response_type=code is served."
        if self.code_challenge_method not in {"", "S256"} or bool(self.code_challenge) != bool(
            self.code_challenge_method
        ):
            return "A code_challenge is one of S256."
        return None

    @property
    def fields(self) -> dict[str, str]:
        """What is to travel on."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}

    @property
    def query(self) -> str:
        """The same for a link."""
        return urlencode(self.fields)

    @property
    def return_origin(self) -> str:
        """The origin of the application's page."""
        address = parse_web_url(self.redirect_uri)
        return address.origin if address else ""

    def back(self, code: str) -> str:
        """Where the browser goes with a code."""
        given = urlencode({"code": code} | ({"state": self.state} if self.state else {}))
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{given}"
