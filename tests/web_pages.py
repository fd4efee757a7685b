"""A page as a browser without script sees it: its forms, its labels, and what its own policy lets it show."""

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

Attributes = dict[str, str]


@dataclass
class Form:
    """A form with its inputs and buttons, by name or text."""

    action: str
    inputs: dict[str, Attributes] = field(default_factory=dict)
    buttons: dict[str, Attributes] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        """What is sent when nothing more is entered."""
        return {name: each.get("value", "") for name, each in self.inputs.items()}


class Page(HTMLParser):
    """One page, read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.forms: list[Form] = []
        self.labels: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.texts: dict[str, str] = {}  # by role or id
        self.title = ""
        self.styles: list[str] = []
        self._open: list[tuple[str, Attributes]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "form":
            self.forms.append(Form(attributes["action"]))
        elif tag == "input":
            self.forms[-1].inputs[attributes["name"]] = attributes
        if tag not in {"input", "meta", "link", "br"}:
            self._open.append((tag, attributes))

    def handle_endtag(self, _tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "title":
            self.title += data
        elif tag == "style":
            self.styles.append(data)
        elif tag == "label":
            self.labels[attributes.get("for", "")] = data
        elif tag == "a":
            self.links[data] = attributes["href"]
        elif tag == "button" and self.forms:
            self.forms[-1].buttons[data] = attributes
        for name in ("role", "id"):
            if name in attributes:
                self.texts[attributes[name]] = data

    def named(self, tag: str) -> list[Attributes]:
        return [attributes for each, attributes in self.elements if each == tag]


def assert_keeps_policy(text: str, policy: str) -> None:
    """The page shows and sends nothing that its own policy forbids; a browser's console stays empty."""
    page = Page(text)
    allowed = {name: sources for name, *sources in (each.split() for each in policy.split(";"))}

    def sources(kind: str) -> list[str]:
        return allowed.get(kind, allowed["default-src"])

    assert sources("script-src") == ["'none'"]
    assert not page.named("script")
    assert not [each for each in ("base", "iframe", "object", "embed") if page.named(each)]
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    for style in page.styles:
        assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in sources("style-src")
    icons = [each["href"] for each in page.named("link") if each["rel"] == "icon"]
    assert icons, "without an icon a browser asks for /favicon.ico"
    for shown in [*icons, *(each["src"] for each in page.named("img"))]:
        assert ("data:" if shown.startswith("data:") else "'self'") in sources("img-src"), shown
    for sheet in (each["href"] for each in page.named("link") if each["rel"] == "stylesheet"):
        assert not urlsplit(sheet).netloc
        assert "'self'" in sources("style-src")
    targets = [form.action for form in page.forms] + [
        each["formaction"] for each in page.named("button") if "formaction" in each
    ]
    for target in targets:
        assert not urlsplit(target).netloc
        assert "'self'" in allowed.get("form-action", ["'self'"])


def assert_usable(text: str) -> None:
    """Every input has a label, says what it is filled in with, and is described by texts that are there."""
    page = Page(text)
    assert page.named("html")[0]["lang"]
    assert len(page.named("h1")) == 1
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for form in page.forms:
        shown = [each for each in form.inputs.values() if each.get("type") != "hidden"]
        for each in shown:
            assert page.labels.get(each["id"]), each
            assert each["autocomplete"], each
            assert set(each.get("aria-describedby", "").split()) <= ids, each
            assert ("aria-invalid" in each) == (f"{each['id']}-error" in ids), each
            assert each["type"] != "password" or "value" not in each
    focused = [each for each in page.named("input") if "autofocus" in each]
    assert len(focused) == (1 if page.forms else 0)


def target_of(page_url: str, target: str) -> str:
    """Where a browser goes from a page."""
    return urljoin(page_url, target)
