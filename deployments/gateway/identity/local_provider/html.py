"""HTML of pages and forms. They work without script, with a screen reader, and without a mouse."""

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
    """The Content-Security-Policy of a page. The answer to its form may redirect to `return_origin`."""
    return page_policy(_STYLE, f"'self' {return_origin}".rstrip())


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a page says about the last attempt.

    Args:
        errors: the errors of the form, by field.
        problem: why the attempt failed.
        done: what the attempt has done.
    """

    errors: Mapping[str, str]
    problem: str = ""
    done: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """An input with its label.

    Args:
        name: `name` and `id` of the input.
        label: the text of the label.
        kind: `type` of the input.
        complete: `autocomplete` of the input, for password managers and phones.
        value: the text in the input; never a password.
        hint: a text about accepted values.
        attributes: more attributes, as HTML.
    """

    name: str
    label: str
    kind: str
    complete: str
    value: str = ""
    hint: str = ""
    attributes: str = ""

    def html(self, error: str, *, focus: bool) -> str:
        """The HTML of the input.

        Args:
            error: the error of its value.
            focus: whether the input has the focus.
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
    """A form with one or two buttons.

    Args:
        action: where the form is sent, relative to the page.
        hidden: hidden fields. The receiver checks them again.
        fields: the inputs.
        button: the text of the button.
        other: where another button sends the hidden fields, and its text.
    """

    action: str
    hidden: Mapping[str, str]
    fields: Sequence[Field]
    button: str
    other: tuple[str, str] | None = None

    def html(self, errors: Mapping[str, str]) -> str:
        """The HTML of the form. The first wrong input has the focus, else the first empty one."""
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


def page(title: str, body: str, feedback: Feedback) -> str:
    """The HTML of a page.

    Args:
        title: the title. After an error it says so, because a screen reader reads it first.
        body: the HTML below the feedback.
        feedback: the result of the last attempt.
    """
    alert = f'<p role="alert">{escape(feedback.problem)}</p>' if feedback.problem else ""
    status = f'<p role="status">{escape(feedback.done)}</p>' if feedback.done else ""
    shown = f"Error: {title}" if feedback.problem or feedback.errors else title
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(shown)} · FIT Monitor</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{ICON}<style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{alert}{status}{body}</main></body></html>"
    )
