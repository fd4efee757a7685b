"""What the sandbox remembers: Stripe's objects as they are answered, in one SQLite file.

One process, one thread, one connection: whatever happens within a transaction happens to nobody else.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

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
    charge TEXT,
    due_at INTEGER,
    body TEXT NOT NULL,
    extra TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS newest ON objects (object, created, seq);
CREATE INDEX IF NOT EXISTS newest_of_state ON objects (object, state, created, seq);
CREATE INDEX IF NOT EXISTS of_intent ON objects (payment_intent, object) WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS of_charge ON objects (charge, object) WHERE charge IS NOT NULL;
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
INSERT INTO objects (id, object, created, state, payment_intent, charge, due_at, body, extra)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, payment_intent = excluded.payment_intent,
    charge = excluded.charge, due_at = excluded.due_at, body = excluded.body, extra = excluded.extra
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One of Stripe's objects, with what its answers do not tell.

    Args:
        body: as it is answered, with what could be expanded as ids.
        extra: `due_at` is when something happens to it by itself; the rest is its own module's.
    """

    body: Body
    extra: Body = field(default_factory=dict)


class Store:
    """One SQLite file, readable by its owner alone.

    Args:
        folder: of the file; made when missing.
        clock: seconds since the epoch.

    Raises:
        UnsafeStartError: another process holds the folder.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clock = clock
        self._lock = os.open(folder / "sandbox.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise UnsafeStartError(f"another sandbox holds {folder}") from None
        file = folder / "sandbox.sqlite"
        # Made before SQLite would make it: its journals take over the rights of the file.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        self._link = sqlite3.connect(file, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._link.execute("PRAGMA journal_mode=WAL")
        self._link.execute("PRAGMA synchronous=NORMAL")
        self._link.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._link.close()
        os.close(self._lock)

    def now(self) -> int:
        """Whole seconds since the epoch, as Stripe counts."""
        return int(self.clock())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within, or nothing of it."""
        self._link.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._link.execute("ROLLBACK")
            raise
        self._link.execute("COMMIT")

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and read all that it finds."""
        return self._link.execute(sql, values).fetchall()

    def count(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement and tell how many rows it changed."""
        return self._link.execute(sql, values).rowcount

    def save(self, body: Body, extra: Body | None = None) -> None:
        """Keep an object, in place of what was kept under its id."""
        own = extra or {}
        state = body["type"] if body["object"] == "event" else body.get("status") or ""
        row = (body["id"], body["object"], body["created"], state, body.get("payment_intent"), body.get("charge"))
        self._link.execute(_SAVE, (*row, own.get("due_at"), text_of(body), text_of(own)))

    def find(self, object_id: str, kind: str) -> Kept | None:
        """An object by its id, if it is of that kind."""
        rows = self.run("SELECT body, extra FROM objects WHERE id = ? AND object = ?", (object_id, kind))
        return Kept(json.loads(rows[0][0]), json.loads(rows[0][1])) if rows else None

    def find_text(self, object_id: str, kind: str) -> str | None:
        """An object by its id as the text that is answered."""
        rows = self.run("SELECT body FROM objects WHERE id = ? AND object = ?", (object_id, kind))
        return str(rows[0][0]) if rows else None

    def find_any(self, object_id: str) -> Body | None:
        """An object of whatever kind."""
        rows = self.run("SELECT body FROM objects WHERE id = ?", (object_id,))
        return None if not rows else dict(json.loads(rows[0][0]))

    def newest_sessions(self, limit: int, after: str | None) -> Sequence[Body]:
        """Sessions, the newest first.

        Args:
            limit: how many at most.
            after: the id of the one after which to begin; at the newest without.
        """
        sql = "SELECT body FROM objects WHERE object = 'checkout.session'"
        order = "ORDER BY created DESC, seq DESC LIMIT ?"
        if after is None:
            rows = self.run(f"{sql} {order}", (limit,))
        else:
            place = "(created, seq) < (SELECT created, seq FROM objects WHERE id = ?)"
            rows = self.run(f"{sql} AND {place} {order}", (after, limit))
        return [json.loads(row[0]) for row in rows]

    def due(self) -> Sequence[tuple[str, str]]:
        """Kind and id of what something should have happened to by now, the most urgent first."""
        sql = "SELECT object, id FROM objects WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at, seq LIMIT 200"
        return self.run(sql, (self.now(),))

    def setting(self, name: str) -> Mapping[str, Any]:
        """What was set under a name; nothing at first."""
        rows = self.run("SELECT value FROM settings WHERE name = ?", (name,))
        return dict(json.loads(rows[0][0])) if rows else {}

    def set(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a setting."""
        self._link.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, text_of(value)))


def text_of(value: Mapping[str, Any]) -> str:
    """JSON as short as it can be."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
