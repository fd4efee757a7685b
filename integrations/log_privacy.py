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

_OURS = frozenset({"cluster", "consumers", "deployments", "domain", "integrations", "lambdas"})
_OUTSIDE = r"\s\"<>()\[\],;:\\"
# A local part may have these as well, though what stands before an address often ends with them.
_QUOTE, _DELIMITER = r"['`{}|]", r"[/?&=]"
_SIGN, _LOCAL = rf"[^{_OUTSIDE}'`{{}}|/?&=]", rf"[^{_OUTSIDE}/?&=]"
# From the first sign on, and no sign is tried as the first of two: linear in time.
_ADDRESS = re.compile(
    rf"(?:(?<!{_LOCAL})(?:({_QUOTE}*+){_LOCAL}+|{_QUOTE}++){_DELIMITER}*+|(?<![^{_OUTSIDE}]){_DELIMITER}++)"
    rf"(?:@|%40){_SIGN}+"
)
_QUOTED = re.compile(r"(['\"`]).*\1", re.DOTALL)
_MOST_FRAMES, _LONGEST_TEXT = 50, 2000
_factory: Any = None

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def redact_addresses(text: str) -> str:
    """Replace each mail address in a text by `[address]`."""
    return _ADDRESS.sub(r"\1[address]", text) if "@" in text or "%40" in text else text


def told_of(error: BaseException) -> str:
    """The loggable text of an exception: our own texts and those of the database; nothing of others."""
    if isinstance(error, SQLAlchemyError) or _root(type(error).__module__) in _OURS:
        # Engines hide the parameters of statements: see `domain.unit_of_work`.
        return redact_addresses(str(error)[:_LONGEST_TEXT])
    if isinstance(error, OSError):
        return error.strerror or ""
    if _raised_here(error.__traceback__):
        return redact_addresses(_QUOTED.sub(r"\1…\1", str(error)[:_LONGEST_TEXT]))
    return ""


def exception_as_dicts(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """An exception and its causes, outermost first: types, texts (see `told_of`), code lines; no variables."""
    return [
        {
            "exc_type": type(error).__name__,
            "exc_value": told_of(error),
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
        told = told_of(error)
        parts.append("\n".join([*lines, f"{type(error).__name__}: {told}" if told else type(error).__name__]))
    return "\nwhich came from\n".join(parts)


def private(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Structlog processor that removes mail addresses from all fields."""
    return {name: _private(value) for name, value in event.items()}


def redact_log_records() -> None:
    """Apply the same rules to all records of the standard library's loggers, including Ray's."""
    global _factory  # noqa: PLW0603 - the standard library has one of it as well
    if _factory is None:
        _factory = logging.getLogRecordFactory()
        logging.setLogRecordFactory(_record)


def _record(*args: Any, **others: Any) -> logging.LogRecord:  # noqa: ANN401 - as the standard library calls it
    record: logging.LogRecord = _factory(*args, **others)
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = exception_as_text(record.exc_info)  # what formatters take, in place of one of their own
    if isinstance(record.msg, BaseException):
        record.msg = f"{type(record.msg).__name__}: {told_of(record.msg)}"
    message = record.msg if isinstance(record.msg, str) and not record.args else _message(record)
    if "@" in message or "%40" in message:
        record.msg, record.args = redact_addresses(message), ()
    return record


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # its own fault, which its handler reports
        return ""


def _private(value: object) -> object:
    if isinstance(value, str):
        return redact_addresses(value)
    if isinstance(value, Mapping):
        return {name: _private(each) for name, each in value.items()}
    return [_private(each) for each in value] if isinstance(value, list | tuple) else value


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
    return list(extract_tb(error.__traceback__))[-_MOST_FRAMES:]


def _raised_here(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and _root(str(traceback.tb_frame.f_globals.get("__name__", ""))) in _OURS


def _root(module: str) -> str:
    return module.partition(".")[0]
