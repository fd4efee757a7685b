"""The URLs to which a browser may be redirected: pages of this installation and those that the settings allow."""

from deployments.http.problems import ApiProblem, Fault
from integrations.settings import ApiSettings, Settings
from integrations.web_urls import origin_of, parse_web_url

CALLBACK = "/api/sessions/callback"
SUCCESS = "/api/checkouts/success?order={ORDER_ID}&session_id={CHECKOUT_SESSION_ID}"
CANCELLED = "/api/checkouts/cancelled?order={ORDER_ID}"
_CALLBACK_OF_CLIENTS = "/callback"


def callback_of(settings: ApiSettings) -> str:
    """The `redirect_uri` of a sign-in at the identity provider. Its app client must allow it."""
    return settings.public_url + CALLBACK


def checkout_redirect(settings: ApiSettings, requested: str | None, default: str, field: str) -> str:
    """The URL to which a checkout leads back.

    Args:
        settings: the public URL and the allowed origins.
        requested: the URL that the client asks for; None: the default.
        default: a path of this installation.
        field: the request field of the URL, for the error message.

    Returns:
        The URL, rebuilt from its checked parts: never the text of the client.

    Raises:
        ApiProblem: `foreign_url`: the URL is invalid, or its origin is not allowed.
    """
    if requested is None:
        return f"{settings.public_url}{default}"
    address = parse_web_url(requested)
    allowed = {origin_of(each) for each in (settings.public_url, *settings.allowed_origins)}
    if address is None or address.origin not in allowed:
        raise ApiProblem(
            "foreign_url",
            "A checkout can only lead back to a page of this installation or of an allowed origin.",
            faults=[Fault(field, "must be a URL of this installation or of an allowed origin")],
        )
    return address.text


def registered_redirects(settings: Settings) -> frozenset[str]:
    """Every `redirect_uri` that may receive an authorization code, compared as text (RFC 9700 section 2.1).

    They always include the callback of this installation and the page of the existing web client.
    `FITMONITOR_IDENTITY__REDIRECT_URIS` adds others. If it is unset, `/callback` of each allowed origin is added.
    """
    named = settings.identity.redirect_uris
    if named is None:
        origins = (origin_of(each) for each in settings.api.allowed_origins)
        named = [f"{origin}{_CALLBACK_OF_CLIENTS}" for origin in origins if origin]
    return frozenset({callback_of(settings.api), settings.default_stage.redirect_uri, *named})


def redirect_uri_for_origin(settings: Settings, page_origin: str | None) -> str:
    """The `redirect_uri` of a sign-in whose application does not send it with its code.

    Args:
        settings: the registered redirects.
        page_origin: the `Origin` header of the request.
    """
    default = settings.default_stage.redirect_uri
    address = parse_web_url(default)
    if page_origin is None or address is None or address.origin == page_origin:
        return default
    own = f"{page_origin}{_CALLBACK_OF_CLIENTS}"
    return own if own in registered_redirects(settings) else default
