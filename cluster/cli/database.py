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

_MEND = "start the stack with `fitmonitor up`, or name another database in FITMONITOR_DATABASE__URL"


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """A connection for questions.

    Raises:
        CommandError: see `opened`.
    """
    with opened(settings) as store, store.reading() as connection:
        yield connection


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The store; what it is worked with logs to standard error meanwhile.

    Raises:
        CommandError: there is no database, or it has no tables yet.
    """
    url = settings.database.url.get_secret_value()
    if not url:
        raise CommandError("no database is named", _MEND)
    parts = make_url(url)
    # SQLite would make an empty file and then miss the tables in it.
    if parts.get_backend_name() == "sqlite" and parts.database and not Path(parts.database).exists():
        raise CommandError("this stack has no database yet", _MEND)
    store = Store(url, pool_size=1)
    before = structlog.get_config()
    configure_logging(settings)  # to standard error: what the command prints may be read by a program
    try:
        yield store
    except SQLAlchemyError as error:
        # Its own text may hold the address with the password, and what was asked.
        raise CommandError(f"the database cannot be read ({type(error).__name__})", _MEND) from error
    finally:
        structlog.configure(**before)
        store.close()
