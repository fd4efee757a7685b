"""Keeps personal data out of logs: exception texts and mail addresses.

The text of an exception is logged only if it is our own. Other libraries include their input: pydantic the value,
`KeyError` the key, Cognito's client the user name. For these, type and code lines are logged.
"""

import logging
import re
from collections.abc import Iterator, Mapping, MutableMapping
from traceback import FrameSummary, extract_tb
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

_OUR_PACKAGES = frozenset({"cluster", "consumers", "deployments", "domain", "integrations", "lambdas"})
_NOT_IN_ADDRESS = r"\s\"<>()\[\],;:\\"
# Allowed in a local part, but often the end of the text before an address.
_QUOTE, _DELIMITER = r"['`{}|]", r"[/?&=]"
_CHARACTER, _LOCAL = rf"[^{_NOT_IN_ADDRESS}'`{{}}|/?&=]", rf"[^{_NOT_IN_ADDRESS}/?&=]"
# Possessive quantifiers and lookbehinds: each character is tried once as the start, so the time is linear.
_ADDRESS = re.compile(
    rf"(?:(?<!{_LOCAL})(?:({_QUOTE}*+){_LOCAL}+|{_QUOTE}++){_DELIMITER}*+|(?<![^{_NOT_IN_ADDRESS}]){_DELIMITER}++)"
    rf"(?:@|%40){_CHARACTER}+"
)
_QUOTED = re.compile(r"(['\"`]).*\1", re.DOTALL)
_MAX_FRAMES, _MAX_TEXT_LENGTH = 50, 2000
_factory: Any = None

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def redact_addresses(text: str) -> str:
    """Replace each mail address in a text by `[address]`."""
    return _ADDRESS.sub(r"\1[address]", text) if "@" in text or "%40" in text else text


def loggable_text(error: BaseException) -> str:
    """The loggable text of an exception: our own texts and those of the database; nothing of keywords."""
    if isinstance(error, SQLAlchemyError) or _root(type(error).__module__) in _OUR_PACKAGES:
        # These texts contain no parameters: `domain.unit_of_work` hides them.
        return redact_addresses(str(error)[:_MAX_TEXT_LENGTH])
    if isinstance(error, OSError):
        return error.strerror or ""
    if _raised_by_us(error.__traceback__):
        return redact_addresses(_QUOTED.sub(r"\1…\1", str(error)[:_MAX_TEXT_LENGTH]))
    return ""


def exception_as_dicts(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """An exception and its causes, outermost first: types, texts (see `loggable_text`), code lines; no variables."""
    return [
        {
            "exc_type": type(error).__name__,
            "exc_value": loggable_text(error),
            "frames": [
                {"filename": frame.filename, "lineno": frame.lineno, "name": frame.name} for frame in _frames(error)
            ],
        }
        for error in _chain(exc_info[1])
    ]


def exception_as_text(exc_info: ExcInfo) -> str:
    """The same as a traceback, for the standard library's logging."""
    parts = []
    for error in _chain(exc_info[1]):
        lines = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in _frames(error)]
        text = loggable_text(error)
        parts.append("\n".join([*lines, f"{type(error).__name__}: {text}" if text else type(error).__name__]))
    return "\ncaused by\n".join(parts)


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Structlog processor that removes mail addresses from all fields."""
    return {name: _redacted(value) for name, value in event.items()}


def redact_log_records() -> None:
    """Apply the same rules to all records of the standard library's loggers, including Ray's."""
    global _factory  # noqa: PLW0603 - the record factory is global in the standard library
    if _factory is None:
        _factory = logging.getLogRecordFactory()
        logging.setLogRecordFactory(_record)


def _record(*args: Any, **keywords: Any) -> logging.LogRecord:  # noqa: ANN401 - as the standard library calls it
    record: logging.LogRecord = _factory(*args, **keywords)
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = exception_as_text(record.exc_info)  # formatters use it instead of their own text
    if isinstance(record.msg, BaseException):
        record.msg = f"{type(record.msg).__name__}: {loggable_text(record.msg)}"
    message = record.msg if isinstance(record.msg, str) and not record.args else _message(record)
    if "@" in message or "%40" in message:
        record.msg, record.args = redact_addresses(message), ()
    return record


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # wrong arguments; the handler reports them
        return ""


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return redact_addresses(value)
    if isinstance(value, Mapping):
        return {name: _redacted(each) for name, each in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, list | tuple) else value


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _chain(each)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(error: BaseException) -> list[FrameSummary]:
    return list(extract_tb(error.__traceback__))[-_MAX_FRAMES:]


def _raised_by_us(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and _root(str(traceback.tb_frame.f_globals.get("__name__", ""))) in _OUR_PACKAGES


def _root(module: str) -> str:
    return module.partition(".")[0]
