"""What HAProxy itself answers for the prefixes that Serve is to serve: 503 as problem+json, never a plain 404.

Serve writes an application's prefix into HAProxy's configuration once the application is known. Until then HAProxy
answers 404 in plain text, and a client gives up on a path that exists a moment later. These are lines of HAProxy's
configuration that `cluster.local.haproxy` adds to what Serve writes.
"""

import json
from collections.abc import Sequence

from deployments.http.problem_kinds import KINDS
from deployments.http.problems import DOCUMENTED_AT, MEDIA_TYPE

_CODE, _RETRY_AFTER_S = "unavailable", 2
_PAGES = "/api/identity"
_REQUEST_ID = "txn.request_id"
# Serve's own proxy, which HAProxy falls back to while an application has no replica, is named so in the configuration.
_SERVE_PROXY = "SERVE_PROXY_ACTOR"


def request_id_rules() -> str:
    """The id that an answer of HAProxy's own carries, by the same rule as the gateway's.

    A header that breaks the rule is dropped: Serve writes it into its log before any of our code has read it.
    """
    sent = "req.fhdr(x-request-id)"
    valid = f"{sent} -m reg ^[A-Za-z0-9._-]{{1,64}}$"
    return (
        f"    http-request del-header X-Request-Id if {{ req.hdr_cnt(X-Request-Id) gt 1 }} or !{{ {valid} }}\n"
        f"    http-request set-var({_REQUEST_ID}) uuid()\n"
        f"    http-request set-var({_REQUEST_ID}) {sent} if {{ {valid} }}\n"
    )


def sign_in_rules() -> str:
    """Lead from the paths of Cognito's hosted page, at the root, to the same pages of the local provider."""
    paths = " ".join(f"/{name}" for name in ("login", "signup", "forgotPassword"))
    return f"    http-request redirect code 302 location {_PAGES}%[path]?%[query] if {{ path {paths} }}\n"


def response_rules() -> str:
    """Replaces what Serve's own proxy says in plain text; whatever an application answers has our headers."""
    own = f"{{ srv_name -m beg {_SERVE_PROXY} }} !{{ res.hdr(x-content-type-options) -m found }}"
    return f"    http-response return {_answer()} if {own} {{ status 404 408 503 }}\n"


def error_rule() -> str:
    """In place of Serve's page for a backend without a server: nothing was sent, so the call can be repeated."""
    return f"    http-error {_answer()}\n"


def missing_rules(prefix: str, prefixes: Sequence[str]) -> str:
    """Answer for a prefix that Serve does not know yet; a longer one below it is another application's.

    Args:
        prefix: the missing one.
        prefixes: all that are configured.
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
    """The line, for grep, that Serve's configuration has once the prefix is known; none of ours is like it."""
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
    # Within single quotes of HAProxy's configuration, and a log format: both have letters of their own.
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
