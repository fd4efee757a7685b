"""Parameters of a call: taken one by one, each checked; what nobody took is refused as unknown."""

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from cluster.local.stripe_sandbox.errors import InvalidParameterError
from cluster.local.stripe_sandbox.forms import Form

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]+\.[^@\s<>.]+")
_LONGEST = 5000
# docs.stripe.com/api/metadata
_METADATA_KEYS, _METADATA_KEY_LENGTH, _METADATA_LENGTH = 50, 40, 500


class Parameters:
    """One level of a form.

    Args:
        form: what was sent.
        path: under which name it was sent; nothing for the call's own.
    """

    def __init__(self, form: Form, path: str = "") -> None:
        self._form = dict(form)
        self._path = path

    def named(self, name: str) -> str:
        """A parameter's name as it was sent."""
        return f"{self._path}[{name}]" if self._path else name

    def done(self) -> None:
        """Refuse what nobody took.

        Raises:
            InvalidParameterError: names the first.
        """
        for name in self._form:
            param = self.named(name)
            raise InvalidParameterError(f"Received unknown parameter: {param}", param, "parameter_unknown")

    def need(self, name: str) -> None:
        """Refuse a call without this parameter.

        Raises:
            InvalidParameterError: it is missing.
        """
        if name not in self._form:
            param = self.named(name)
            raise InvalidParameterError(f"Missing required param: {param}.", param, "parameter_missing")

    def is_text(self, name: str) -> bool:
        """Whether a parameter was sent as a text, and not as a group or a list."""
        return isinstance(self._form.get(name), str)

    def text(self, name: str, longest: int = _LONGEST) -> str | None:
        """A text that is not empty, or None when it was not sent."""
        value = self._form.pop(name, None)
        param = self.named(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidParameterError("Invalid string", param)
        if not value:
            message = f"You passed an empty string for '{param}'. Leave it out to unset it."
            raise InvalidParameterError(message, param, "parameter_invalid_empty")
        if len(value) > longest:
            raise InvalidParameterError(f"Invalid string: must be at most {longest} characters", param)
        return value

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of some words, or None when it was not sent."""
        value = self.text(name)
        if value is not None and value not in choices:
            param = self.named(name)
            raise InvalidParameterError(f"Invalid {param}: must be one of {', '.join(sorted(choices))}", param)
        return value

    def integer(self, name: str, least: int, most: int = 10**12) -> int | None:
        """An integer within bounds, or None when it was not sent."""
        value = self.text(name)
        if value is None:
            return None
        param = self.named(name)
        if not _INTEGER.fullmatch(value):
            raise InvalidParameterError(f"Invalid integer: {value[:40]}", param, "parameter_invalid_integer")
        number = int(value)
        if not least <= number <= most:
            message = f"Invalid integer: must be from {least} to {most}"
            raise InvalidParameterError(message, param, "parameter_invalid_integer")
        return number

    def url(self, name: str) -> str | None:
        """An address of the web, or None when it was not sent."""
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            is_url = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            is_url = False
        if not is_url or any(char.isspace() or ord(char) < ord(" ") for char in value):
            raise InvalidParameterError("Not a valid URL", self.named(name), "url_invalid")
        return value

    def email(self, name: str) -> str | None:
        """An e-mail address, or None when it was not sent."""
        value = self.text(name, 512)
        if value is not None and not _EMAIL.fullmatch(value):
            raise InvalidParameterError("Invalid email address", self.named(name), "email_invalid")
        return value

    def level(self, name: str) -> "Parameters":
        """The parameters under a name; none when it was not sent."""
        return Parameters(self._take_form(name), self.named(name))

    def rows(self, name: str) -> Sequence["Parameters"]:
        """A list of groups of parameters."""
        found = []
        for index, row in self._take_form(name).items():
            param = f"{self.named(name)}[{index}]"
            if not isinstance(row, dict):
                raise InvalidParameterError("Invalid object", param)
            found.append(Parameters(row, param))
        return found

    def texts(self, name: str) -> Sequence[str]:
        """A list of texts."""
        own = Parameters(self._take_form(name), self.named(name))
        return [own.text(index) or "" for index in list(own._form)]

    def metadata(self, name: str = "metadata") -> Mapping[str, str]:
        """Names and values that are kept for the caller."""
        found = {}
        form = self._take_form(name)
        if len(form) > _METADATA_KEYS:
            raise InvalidParameterError(f"Metadata can have up to {_METADATA_KEYS} keys", self.named(name))
        for key, value in form.items():
            param = f"{self.named(name)}[{key}]"
            if not isinstance(value, str):
                raise InvalidParameterError("Metadata values must be strings", param)
            if len(key) > _METADATA_KEY_LENGTH:
                raise InvalidParameterError(f"Metadata keys can have up to {_METADATA_KEY_LENGTH} characters", param)
            if len(value) > _METADATA_LENGTH:
                raise InvalidParameterError(f"Metadata values can have up to {_METADATA_LENGTH} characters", param)
            if value:
                found[key] = value
        return found

    def _take_form(self, name: str) -> Form:
        value = self._form.pop(name, {})
        if isinstance(value, str):
            if not value:
                return {}  # sent to unset what a group or a list holds
            raise InvalidParameterError("Invalid object", self.named(name))
        return value
