"""What the sandbox remembers: objects, events, keys, deliveries; in one file, used by one thread."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, created INTEGER NOT NULL,
  payment_intent TEXT, closes INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS by_kind_created ON objects (kind, created);
CREATE INDEX IF NOT EXISTS by_intent ON objects (payment_intent, kind);
CREATE INDEX IF NOT EXISTS by_closing ON objects (closes) WHERE closes IS NOT NULL;
CREATE TABLE IF NOT EXISTS keys (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER, body TEXT, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, due REAL NOT NULL, tries INTEGER NOT NULL, last TEXT);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, body TEXT NOT NULL);
"""


class SandboxStore:
    """Objects as Stripe's JSON, found by id, by kind, and by the payment that they belong to."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Everything in here, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def put(self, body: Json, *, payment_intent: str | None = None, closes: int | None = None) -> Json:
        """Keep an object, new or changed. `closes`: when something becomes of it by itself."""
        self._connection.execute(
            "INSERT INTO objects (id, kind, created, payment_intent, closes, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, payment_intent = excluded.payment_intent,"
            " closes = excluded.closes",
            (body["id"], body["object"], body["created"], payment_intent, closes, json.dumps(body)),
        )
        return body

    def get(self, kind: str, object_id: str) -> Json | None:
        """An object of a kind."""
        row = self._connection.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def of_payment(self, kind: str, payment_intent: str) -> list[Json]:
        """Objects of a kind that belong to a payment, newest first."""
        rows = self._connection.execute(
            "SELECT body FROM objects WHERE payment_intent = ? AND kind = ? ORDER BY seq DESC", (payment_intent, kind)
        )
        return [json.loads(row[0]) for row in rows]

    def listed(
        self, kind: str, limit: int, *, after: str | None = None, before: str | None = None,
        payment_intent: str | None = None, created: tuple[int, int] = (0, 2**53),
    ) -> list[Json]:  # fmt: skip
        """Objects of a kind, newest first; one more than the limit, where there is one."""
        conditions, values = ["kind = ?", "created BETWEEN ? AND ?"], [kind, *created]
        if payment_intent is not None:
            conditions.append("payment_intent = ?")
            values.append(payment_intent)
        for cursor, sign in ((after, "<"), (before, ">")):
            if cursor is not None:
                conditions.append(f"seq {sign} (SELECT seq FROM objects WHERE id = ?)")  # noqa: S608 - a sign of ours
                values.append(cursor)
        order = "ASC" if before is not None else "DESC"
        rows = self._connection.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(conditions)} ORDER BY seq {order} LIMIT ?",  # noqa: S608 - words of ours
            (*values, limit + 1),
        ).fetchall()
        found = [json.loads(row[0]) for row in rows]
        return found if before is None else found[::-1]

    def closing(self, now: int) -> list[Json]:
        """Objects of which something becomes by itself, and whose time has come."""
        rows = self._connection.execute("SELECT body FROM objects WHERE closes <= ? ORDER BY closes LIMIT 500", (now,))
        return [json.loads(row[0]) for row in rows]

    def key(self, key: str) -> tuple[str, int | None, str | None] | None:
        """What is known of an idempotency key: request, status, body."""
        self._connection.execute("DELETE FROM keys WHERE created < ?", (time.time() - 86_400,))
        row: tuple[str, int | None, str | None] | None = self._connection.execute(
            "SELECT request, status, body FROM keys WHERE key = ?", (key,)
        ).fetchone()
        return row

    def keep_key(self, key: str, request: str, status: int | None, body: str | None) -> None:
        """Keep what was answered under a key; no status: it is being answered."""
        self._connection.execute(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", (key, request, status, body, time.time())
        )

    def free_key(self, key: str) -> None:
        """Forget a key: nothing was done under it."""
        self._connection.execute("DELETE FROM keys WHERE key = ?", (key,))

    def free_running_keys(self) -> None:
        """Forget keys of requests that a killed sandbox did not finish."""
        self._connection.execute("DELETE FROM keys WHERE status IS NULL")

    def deliver(self, event_id: str, due: float) -> None:
        """Put an event on its way."""
        self._connection.execute("INSERT INTO deliveries (event, due, tries) VALUES (?, ?, 0)", (event_id, due))

    def due(self, now: float, limit: int) -> list[tuple[int, str, int]]:
        """Deliveries whose time has come: number, event, tries."""
        return self._connection.execute(
            "SELECT seq, event, tries FROM deliveries WHERE due <= ? ORDER BY due, seq LIMIT ?", (now, limit)
        ).fetchall()

    def delivered(self, seq: int) -> None:
        """A delivery has arrived."""
        self._connection.execute("DELETE FROM deliveries WHERE seq = ?", (seq,))

    def again(self, seq: int, due: float, why: str) -> None:
        """A delivery has not arrived, and is tried again."""
        self._connection.execute(
            "UPDATE deliveries SET due = ?, tries = tries + 1, last = ? WHERE seq = ?", (due, why, seq)
        )

    def waiting(self) -> list[tuple[str, int, str | None]]:
        """Deliveries that have not arrived: event, tries, why."""
        return self._connection.execute("SELECT event, tries, last FROM deliveries ORDER BY seq").fetchall()

    def hasten(self) -> None:
        """Try what waits now."""
        self._connection.execute("UPDATE deliveries SET due = 0")

    def kept(self, name: str) -> Json | None:
        """Something that is kept under a name."""
        row = self._connection.execute("SELECT body FROM kept WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep(self, name: str, body: Json) -> None:
        """Keep something under a name."""
        self._connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, json.dumps(body)))
