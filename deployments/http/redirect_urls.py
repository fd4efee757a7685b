"""Where a browser may be sent: to pages of this installation, and of origins and pages that the settings name."""

from deployments.http.problems import ApiProblem, Fault
from integrations.settings import ApiSettings, Settings
from integrations.web_urls import origin_of, parse_web_url

CALLBACK = "/api/sessions/callback"
SUCCESS = "/api/checkouts/success?order={ORDER_ID}&session_id={CHECKOUT_SESSION_ID}"
CANCELLED = "/api/checkouts/cancelled?order={ORDER_ID}"
_CALLBACK_OF_CLIENTS = "/callback"


def callback_of(settings: ApiSettings) -> str:
    """Where the provider's page is told to come back to; the pool's client must allow it."""
    return settings.public_url + CALLBACK


def own_address(settings: ApiSettings, wanted: str | None, usual: str, field: str) -> str:
    """An address to which a checkout may lead.

    Args:
        wanted: by the client; None: the usual one.
        usual: a path of ours.
        field: of the request that it is in.

    Returns:
        The address written anew from what was checked: never the text of the client.

    Raises:
        ApiProblem: `foreign_url`: it leads elsewhere, or is none.
    """
    if wanted is None:
        return f"{settings.public_url}{usual}"
    address = parse_web_url(wanted)
    if address is None or address.origin not in _own_origins(settings):
        raise ApiProblem(
            "foreign_url",
            "A checkout leads back to pages of this installation or of an allowed origin only.",
            faults=[Fault(field, "is not an address of ours")],
        )
    return address.text


def registered_redirects(settings: Settings) -> frozenset[str]:
    """Every `redirect_uri` to which an authorization code may be sent, compared as text (RFC 9700 section 2.1).

    The callback of this installation and the page of the existing web client are always among them. The others are
    named by `FITMONITOR_IDENTITY__REDIRECT_URIS`; where it is unset they are `/callback` of each allowed origin.
    """
    named = settings.identity.redirect_uris
    if named is None:
        origins = (origin_of(each) for each in settings.api.allowed_origins)
        named = [f"{origin}{_CALLBACK_OF_CLIENTS}" for origin in origins if origin]
    return frozenset({callback_of(settings.api), settings.default_stage.redirect_uri, *named})


def may_return_to(settings: Settings, redirect_uri: str) -> bool:
    """Whether an authorization code may be sent there."""
    return redirect_uri in registered_redirects(settings)


def redirect_of(settings: Settings, page_origin: str | None) -> str:
    """The page that has asked the sign-in page for a code, of an application that does not say it.

    Args:
        settings: see there.
        page_origin: the request's `Origin`, by which browsers name the page's.
    """
    usual = settings.default_stage.redirect_uri
    address = parse_web_url(usual)
    if page_origin is None or address is None or address.origin == page_origin:
        return usual
    own = f"{page_origin}{_CALLBACK_OF_CLIENTS}"
    return own if may_return_to(settings, own) else usual


def _own_origins(settings: ApiSettings) -> set[str | None]:
    return {origin_of(each) for each in (settings.public_url, *settings.allowed_origins)}
