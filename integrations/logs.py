"""Logs: one JSON object per line on standard error.

An event has a constant name; its facts are fields: ids, counts, reasons. Names, addresses, codes and tokens are never
logged.

In a replica Ray Serve captures standard error and may buffer up to a thousand lines
(`RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE`). Warnings and errors are flushed at once, with all lines before them.
"""

import logging
import sys
from functools import cache

import structlog

from integrations.log_privacy import exception_as_dicts, redact_event, redact_log_records
from integrations.settings import Settings, deprecated_settings_in_use

_SERVE = "ray.serve"


def configure_logging(settings: Settings, *, warn_of_deprecated: bool = True) -> None:
    """Write structlog's events to standard error, from the configured level on.

    Args:
        settings: contain the level.
        warn_of_deprecated: whether to log deprecated settings. Commands print them as plain lines instead.

    Raises:
        ValueError: unknown level.
    """
    level = logging.getLevelNamesMapping().get(settings.log_level.upper())
    if level is None:
        raise ValueError(
            f"FITMONITOR_LOG_LEVEL: {settings.log_level} is not a level. Use DEBUG, INFO, WARNING or ERROR"
        )
    redact_log_records()
    stream = sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.ExceptionRenderer(exception_as_dicts),
            redact_event,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    if warn_of_deprecated:
        warn_of_deprecated_settings()


@cache  # once per process, however often logging is configured
def warn_of_deprecated_settings() -> None:
    """Log each deprecated setting that is in use."""
    log = structlog.get_logger(__name__)
    for setting in deprecated_settings_in_use():
        log.warning("setting_deprecated", variable=setting.variable, hint=setting.hint)


class _Lines(structlog.PrintLogger):
    """Writes lines; flushes warnings and errors at once."""

    def _write_at_once(self, message: str) -> None:
        self.msg(message)
        for handler in logging.getLogger(_SERVE).handlers:
            handler.flush()

    # Levels by the names that structlog calls.
    warning = error = critical = _write_at_once
