"""How the local provider's pages look: forms without script, readable by screen readers and without a mouse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from integrations.rendering.page_headers import ICON, page_policy

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0}
main{width:min(22rem,90vw);padding:1rem 0;overflow-wrap:anywhere}h1{font-size:1.4rem}
.field{margin:.8rem 0}.hint,.error{margin:.2rem 0;font-size:.9rem}.error::before{content:"\\26A0\\00A0"}
input{font:inherit;width:100%;box-sizing:border-box;padding:.55rem;border:1px solid #888;border-radius:.4rem}
input[aria-invalid]{border:2px solid #d33}
button{font:inherit;width:100%;padding:.6rem;margin:.4rem 0;border:1px solid #0b6bcb;border-radius:.4rem;
background:#0b6bcb;color:#fff;cursor:pointer}
button.other{background:transparent;color:inherit}
:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
[role=alert]{border-left:.25rem solid #c22;padding:.3rem .7rem;background:#c221}
[role=status]{border-left:.25rem solid #15803d;padding:.3rem .7rem;background:#15803d22}
"""


def policy(return_origin: str = "") -> str:
    """What a browser may do with a page; the form's answer may lead on to the application's own origin."""
    return page_policy(_STYLE, f"'self' {return_origin}".rstrip())


@dataclass(frozen=True, slots=True)
class Field:
    """An input with its label.

    Args:
        name: of the input, and of its label and texts.
        label: what it is.
        kind: HTML's `type`.
        complete: HTML's `autocomplete`, by which password managers and phones fill it in.
        value: what stands in it; never a password.
        hint: what is accepted.
        attributes: further ones, as HTML.
    """

    name: str
    label: str
    kind: str
    complete: str
    value: str = ""
    hint: str = ""
    attributes: str = ""

    def html(self, error: str, *, focus: bool) -> str:
        """The input.

        Args:
            error: why what was entered is not accepted.
            focus: whether a keyboard begins here.
        """
        texts = [(f"{self.name}-error", "error", error), (f"{self.name}-hint", "hint", self.hint)]
        shown = [(each, kind, text) for each, kind, text in texts if text]
        described = f' aria-describedby="{" ".join(each for each, _, _ in shown)}"' if shown else ""
        paragraphs = "".join(f'<p class="{kind}" id="{each}">{escape(text)}</p>' for each, kind, text in shown)
        return (
            f'<div class="field"><label for="{self.name}">{escape(self.label)}</label>'
            f'<input id="{self.name}" name="{self.name}" type="{self.kind}" autocomplete="{self.complete}" required'
            f"{f' value={chr(34)}{escape(self.value)}{chr(34)}' if self.value else ''}{self.attributes}{described}"
            f"{' aria-invalid=true' if error else ''}{' autofocus' if focus else ''}>{paragraphs}</div>"
        )


@dataclass(frozen=True, slots=True)
class Form:
    """A form with one button, and at most one other.

    Args:
        action: where it is sent, relative to the page.
        hidden: what it hands on; whoever receives it checks it anew.
        fields: what is asked for.
        button: the text of its button.
        other: where another button sends what is hidden, and its text.
    """

    action: str
    hidden: Mapping[str, str]
    fields: Sequence[Field]
    button: str
    other: tuple[str, str] | None = None

    def html(self, errors: Mapping[str, str]) -> str:
        """The form; a keyboard begins at the first field that is wrong, else at the first empty one."""
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in self.hidden.items()
            if value
        )
        wrong = [field.name for field in self.fields if field.name in errors]
        empty = [field.name for field in self.fields if not field.value]
        first = next(iter([*wrong, *empty]), None)
        fields = "".join(field.html(errors.get(field.name, ""), focus=field.name == first) for field in self.fields)
        other = ""
        if self.other is not None:
            where, text = map(escape, self.other)
            other = f'<button class="other" formaction="{where}" formnovalidate>{text}</button>'
        return (
            f'<form method="post" action="{escape(self.action)}">{hidden}{fields}'
            f"<button>{escape(self.button)}</button>{other}</form>"
        )


def page(title: str, body: str, *, wrong: str = "", done: str = "", is_wrong: bool = False) -> str:
    """A whole page.

    Args:
        title: what it is for.
        body: as HTML.
        wrong: why the last attempt did not succeed.
        done: what it has done.
        is_wrong: whether the title says that something is wrong, which a screen reader reads first.
    """
    alert = f'<p role="alert">{escape(wrong)}</p>' if wrong else ""
    status = f'<p role="status">{escape(done)}</p>' if done else ""
    shown = f"Error: {title}" if wrong or is_wrong else title
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(shown)} · FIT Monitor</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{ICON}<style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{alert}{status}{body}</main></body></html>"
    )
