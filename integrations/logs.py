"""Logs: one JSON object a line on standard error.

An event's name is constant and its facts are fields: ids, counts, reasons; never a name, an
address, a code or a token.
"""

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from integrations.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Send structlog's events to standard error, from the level that the settings name.

    Raises:
        ValueError: the settings name a level that there is not.
    """
    level = logging.getLevelNamesMapping().get(settings.log_level.upper())
    if level is None:
        raise ValueError(f"FITMONITOR_LOG_LEVEL: {settings.log_level} is no level; INFO is one")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            # Without the variables of each frame: there the codes and addresses are that no log may hold.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
