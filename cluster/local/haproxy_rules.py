"""Rules that `cluster.local.haproxy` adds to HAProxy's configuration: 503 as problem+json instead of a plain 404.

Serve adds the prefix of an application to HAProxy's configuration once the application runs. Until then HAProxy would
return 404 in plain text, and clients would give up on a path that exists a moment later.
"""

import json
from collections.abc import Sequence

from deployments.http.error_codes import KINDS
from deployments.http.problems import DOCUMENTED_AT, MEDIA_TYPE

_CODE, _RETRY_AFTER_S = "unavailable", 2
_PAGES = "/api/identity"
_REQUEST_ID = "txn.request_id"
# The name of Serve's own proxy in the configuration. HAProxy uses it while an application has no replica.
_SERVE_PROXY = "SERVE_PROXY_ACTOR"


def request_id_rules() -> str:
    """Set the request id of HAProxy's own responses, by the same rule as the gateway.

    An invalid header is deleted, because Serve logs it before our code reads it.
    """
    sent = "req.fhdr(x-request-id)"
    valid = f"{sent} -m reg ^[A-Za-z0-9._-]{{1,64}}$"
    return (
        f"    http-request del-header X-Request-Id if {{ req.hdr_cnt(X-Request-Id) gt 1 }} or !{{ {valid} }}\n"
        f"    http-request set-var({_REQUEST_ID}) uuid()\n"
        f"    http-request set-var({_REQUEST_ID}) {sent} if {{ {valid} }}\n"
    )


def sign_in_rules() -> str:
    """Redirect from the paths of Cognito's hosted pages, at the root, to the pages of the local identity provider."""
    paths = " ".join(f"/{name}" for name in ("login", "signup", "forgotPassword"))
    return f"    http-request redirect code 302 location {_PAGES}%[path]?%[query] if {{ path {paths} }}\n"


def response_rules() -> str:
    """Replace the plain text of Serve's own proxy. Responses of our applications are recognized by a header."""
    own = f"{{ srv_name -m beg {_SERVE_PROXY} }} !{{ res.hdr(x-content-type-options) -m found }}"
    return f"    http-response return {_answer()} if {own} {{ status 404 408 503 }}\n"


def error_rule() -> str:
    """Replace Serve's page for a backend without a server. Nothing was sent, so the client can repeat the request."""
    return f"    http-error {_answer()}\n"


def missing_rules(prefix: str, prefixes: Sequence[str]) -> str:
    """Return 503 for a prefix that Serve does not know yet.

    Args:
        prefix: the missing prefix.
        prefixes: all prefixes; longer ones below `prefix` belong to other applications.
    """
    name = f"unknown_{prefixes.index(prefix)}"
    lines = _acl(name, prefix)
    below = [each for each in prefixes if each != prefix and each.startswith(_below(prefix))]
    for each in below:
        lines += _acl(f"{name}_below", each)
    if prefix == "/":
        lines += [f"    acl {name}_below path_beg /-/"]  # HAProxy's own answers about itself
    but = f" !{name}_below" if below or prefix == "/" else ""
    return "\n".join([*lines, f"    http-request return {_answer()} if {name}{but}", ""])


def known_pattern(prefix: str) -> str:
    """Return a pattern for grep that matches the configuration once Serve knows the prefix, and none of our lines."""
    return f"^ *acl is_[^ ]* path {prefix.replace('.', '[.]')}$"


def _acl(name: str, prefix: str) -> list[str]:
    return [f"    acl {name} path {prefix}", f"    acl {name} path_beg {_below(prefix)}"]


def _below(prefix: str) -> str:
    return f"{prefix.rstrip('/')}/"


def _answer() -> str:
    kind = KINDS[_CODE]
    document = {
        "type": f"{DOCUMENTED_AT}#{_CODE}",
        "title": kind.title,
        "status": kind.status,
        "detail": "The service is starting. Try again in a moment.",
        "code": _CODE,
        "request_id": "",
    }
    # Escaped for single quotes in HAProxy's configuration and for its log format.
    text = json.dumps(document).replace("'", "\\u0027").replace("%", "%%")
    text = text.removesuffix('""}') + f'"%[var({_REQUEST_ID})]"}}'
    headers = {
        "Retry-After": str(_RETRY_AFTER_S),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": f"%[var({_REQUEST_ID})]",
    }
    named = " ".join(f"hdr {name} {value}" for name, value in headers.items())
    return f"status {kind.status} content-type {MEDIA_TYPE} {named} lf-string '{text}'"
