"""Security headers of HTML pages: no script, and only the page's own style."""

from base64 import b64encode
from hashlib import sha256

ICON = '<link rel="icon" href="data:,">'
"""An empty icon for a page's head. Without one a browser asks for `/favicon.ico`, which the policy forbids."""
ICON_POLICY = "img-src data:"


def page_policy(style: str, form_action: str = "'none'") -> str:
    """The `Content-Security-Policy` of a page.

    Args:
        style: content of the page's only `style` element.
        form_action: allowed targets of its forms and of the redirects that answer them.
    """
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; {ICON_POLICY}; "
        f"form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )


def is_own_page(origin: str | None, fetch_site: str | None, host: str, own_origin: str) -> bool:
    """Whether a form was sent by one of our own pages, as far as the browser tells.

    Browsers send the page's origin with every form (Fetch standard, "append a request Origin header"), unless the
    referrer policy is `no-referrer`. A request without both headers comes from a program, which cannot be misled.

    Args:
        origin: header `Origin`.
        fetch_site: header `Sec-Fetch-Site`.
        host: header `Host`.
        own_origin: our public origin.
    """
    if fetch_site not in {None, "same-origin", "none"}:
        return False
    if origin is None or origin == own_origin:
        return True
    # Another name of this machine, such as localhost. `Host` alone proves nothing, because a foreign name can be
    # resolved to this machine (DNS rebinding). `Sec-Fetch-Site` is set by the browser.
    return fetch_site == "same-origin" and origin.partition("://")[2] == host
