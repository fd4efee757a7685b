"""What every page of ours that brings its own style says to a browser: nothing but that style, and no script."""

from base64 import b64encode
from hashlib import sha256

ICON = '<link rel="icon" href="data:,">'
"""An empty icon for a page's head. Without one a browser asks for `/favicon.ico`, which the policy forbids."""
ICON_POLICY = "img-src data:"


def page_policy(style: str, form_action: str = "'none'") -> str:
    """The `Content-Security-Policy` of a page.

    Args:
        style: the content of the page's one `style` element.
        form_action: where its forms, and the redirects that answer them, may lead.
    """
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; {ICON_POLICY}; "
        f"form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )


def is_own_page(origin: str | None, fetch_site: str | None, host: str, own_origin: str) -> bool:
    """Whether a form was sent by a page of ours, as far as a browser says it.

    Browsers name the page's origin with every form that they send (Fetch standard, "append a request Origin header"),
    except with a referrer policy of `no-referrer`. What names neither is a program, which has no user to mislead.

    Args:
        origin: the header `Origin`.
        fetch_site: the header `Sec-Fetch-Site`.
        host: the header `Host`.
        own_origin: where the public reaches us.
    """
    if fetch_site not in {None, "same-origin", "none"}:
        return False
    if origin is None or origin == own_origin:
        return True
    # Another name of this machine, such as localhost. The browser has compared it: `Host` alone proves nothing,
    # because a foreign name can be made to lead here (DNS rebinding).
    return fetch_site == "same-origin" and origin.partition("://")[2] == host
