"""The stack's database, opened for one command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from cluster.errors import CommandError
from domain.unit_of_work import Store
from integrations.logs import configure_logging
from integrations.settings import Settings

_HINT = "start the stack with `fitmonitor up`, or set FITMONITOR_DATABASE__URL to another database"


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """A connection for queries; raises as `opened`."""
    with opened(settings) as store, store.reading() as connection:
        yield connection


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The database. Log lines go to standard error meanwhile.

    Raises:
        CommandError: there is no database, it has no tables yet, or it fails.
    """
    url = settings.database.url.get_secret_value()
    if not url:
        raise CommandError("no database is configured", _HINT)
    parsed = make_url(url)
    # SQLite would create an empty file.
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists():
        raise CommandError("this stack has no database yet", _HINT)
    store = Store(url, pool_size=1)
    before = structlog.get_config()
    configure_logging(settings, warn_of_deprecated=False)  # to standard error: standard output may be read by a program
    try:
        yield store
    except SQLAlchemyError as error:
        # Its text may contain the database URL with the password, and the query.
        raise CommandError(f"the database cannot be read ({type(error).__name__})", _HINT) from error
    finally:
        structlog.configure(**before)
        store.close()
