"""The local provider's sign-in page: a form, no script, nothing fetched."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0}
main{width:min(22rem,90vw)}h1{font-size:1.4rem}
label{display:block;margin:.8rem 0}
input{font:inherit;width:100%;box-sizing:border-box;padding:.55rem;border:1px solid #8888;border-radius:.4rem}
button{font:inherit;width:100%;padding:.6rem;border:0;border-radius:.4rem;background:#0b6bcb;color:#fff;cursor:pointer}
[role=alert]{border-left:.25rem solid #c22;padding:.3rem .7rem;background:#c221}
small{opacity:.75}
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · FIT Monitor</title>'
    f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
    "<h1>FIT Monitor</h1>"
)
_FOOT = "</main></body></html>"


def policy(origin: str = "") -> str:
    """What a browser may do with the page; the form's answer leads on to the origin from where it was asked."""
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        f"form-action 'self' {origin}; base-uri 'none'; frame-ancestors 'none'"
    )


def sign_in_form(hidden: Mapping[str, str], email: str = "", wrong: str = "") -> str:
    """The page.

    Args:
        hidden: what the form hands on.
        email: what was entered before.
        wrong: why that did not do.
    """
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
    )
    alert = f'<p role="alert">{escape(wrong)}</p>' if wrong else ""
    return (
        f'{_HEAD}{alert}<form method="post" action="authorize">{kept}'
        '<label>E-mail<input name="email" type="email" autocomplete="username" required autofocus '
        f'value="{escape(email)}"></label>'
        '<label>Password<input name="password" type="password" autocomplete="current-password" required></label>'
        "<button>Sign in</button></form>"
        f"<p><small>The sign-in page of this installation's own identity provider.</small></p>{_FOOT}"
    )


def refusal_page(why: str) -> str:
    """What stands there when whoever sent the browser here has asked for something that is not done."""
    return f'{_HEAD}<p role="alert">{escape(why)}</p>{_FOOT}'
