"""Stripe's objects, webhook deliveries, idempotency keys and switches, in one SQLite file.

There is one process, one thread and one connection, so nothing else happens during a transaction.
"""

import fcntl
import json
import os
import sqlite3
import string
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cluster.local.stripe_sandbox.errors import MissingResourceError
from cluster.local.stripe_sandbox.guard import UnsafeStartError

Body: TypeAlias = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    object TEXT NOT NULL,
    created INTEGER NOT NULL,
    state TEXT NOT NULL,
    payment_intent TEXT,
    due_at INTEGER,
    body TEXT NOT NULL,
    extra TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS newest ON objects (object, created, seq);
CREATE INDEX IF NOT EXISTS of_intent ON objects (payment_intent, object) WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS due ON objects (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    next_at REAL NOT NULL,
    first_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS next ON deliveries (state, next_at);
CREATE INDEX IF NOT EXISTS of_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    parameters TEXT NOT NULL,
    request TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS oldest ON idempotency (created);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_SAVE = """
INSERT INTO objects (id, object, created, state, payment_intent, due_at, body, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, payment_intent = excluded.payment_intent,
    due_at = excluded.due_at, body = excluded.body, extra = excluded.extra
"""
_LETTERS = string.ascii_letters + string.digits
_ID_LENGTHS = {"cs_test": 58, "req": 14}


def new_id(prefix: str) -> str:
    """Create an unguessable identifier that looks like Stripe's, such as `pi_` with 24 letters and digits."""
    random = os.urandom(_ID_LENGTHS.get(prefix, 24))
    return f"{prefix}_{''.join(_LETTERS[byte % len(_LETTERS)] for byte in random)}"


@dataclass(frozen=True, slots=True)
class StripeObject:
    """One of Stripe's objects.

    Args:
        body: the JSON that the API returns; related objects are ids.
        extra: what the API does not show. A session expires at `due_at`.
    """

    body: Body
    extra: Body = field(default_factory=dict)


class Store:
    """One SQLite file that only its owner can read.

    Args:
        folder: of the file; is created if missing.
        clock: seconds since the epoch.

    Raises:
        UnsafeStartError: another process uses the folder.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clock = clock
        self._lock = os.open(folder / "sandbox.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise UnsafeStartError(f"another sandbox uses {folder}") from None
        file = folder / "sandbox.sqlite"
        # SQLite gives its journals the mode of the file, so the file is created first, for its owner only.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file and release the folder."""
        self._connection.close()
        os.close(self._lock)

    def now(self) -> int:
        """Whole seconds since the epoch, as in Stripe's objects."""
        return int(self.clock())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything that is written inside, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all its rows."""
        return self._connection.execute(sql, values).fetchall()

    def save(self, body: Body, extra: Body | None = None) -> None:
        """Insert an object, or replace the one with its id."""
        own = extra or {}
        state = body["type"] if body["object"] == "event" else body.get("status") or ""
        row = (body["id"], body["object"], body["created"], state, body.get("payment_intent"), own.get("due_at"))
        self.run(_SAVE, (*row, to_json(body), to_json(own)))

    def get(self, kind: str, object_id: str, param: str = "id") -> StripeObject:
        """Find an object by its id.

        Args:
            kind: Stripe's `object`.
            object_id: its id.
            param: the parameter that holds the id, for the error.

        Raises:
            MissingResourceError: there is no such object of this kind.
        """
        rows = self.run("SELECT body, extra FROM objects WHERE id = ? AND object = ?", (object_id, kind))
        if not rows:
            raise MissingResourceError(kind, object_id, param)
        return StripeObject(json.loads(rows[0][0]), json.loads(rows[0][1]))

    def newest(
        self, kind: str, limit: int, after: str | None = None, since: int = 0, payment_intent: str | None = None
    ) -> list[Body]:
        """List objects, newest first.

        Args:
            kind: Stripe's `object`.
            limit: maximum number of results.
            after: id of the object before the first result.
            since: seconds since the epoch; older objects are left out.
            payment_intent: lists only objects of this payment.

        Raises:
            MissingResourceError: there is no object `after` of this kind.
        """
        terms, values = ["object = ?", "created >= ?"], [kind, since]
        if payment_intent is not None:
            terms.append("payment_intent = ?")
            values.append(payment_intent)
        if after is not None:
            self.get(kind, after, "starting_after")
            terms.append("(created, seq) < (SELECT created, seq FROM objects WHERE id = ?)")
            values.append(after)
        sql = f"SELECT body FROM objects WHERE {' AND '.join(terms)}"  # noqa: S608 - terms are constants
        rows = self.run(f"{sql} ORDER BY created DESC, seq DESC LIMIT ?", [*values, limit])
        return [json.loads(row[0]) for row in rows]

    def due_sessions(self) -> Sequence[str]:
        """Ids of open sessions whose time is over, oldest first."""
        sql = "SELECT id FROM objects WHERE state = 'open' AND due_at <= ? ORDER BY due_at, seq LIMIT 200"
        return [row[0] for row in self.run(sql, (self.now(),))]

    def setting(self, name: str) -> Mapping[str, Any]:
        """Return a saved setting; empty if there is none."""
        rows = self.run("SELECT value FROM settings WHERE name = ?", (name,))
        return dict(json.loads(rows[0][0])) if rows else {}

    def save_setting(self, name: str, value: Mapping[str, Any]) -> None:
        """Save a setting."""
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, to_json(value)))


def to_json(value: Mapping[str, Any]) -> str:
    """Encode as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
