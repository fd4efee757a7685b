"""Counted attempts in the database."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, select, update

from domain.identity.attempts import AN_HOUR, FORGOTTEN_AFTER, AttemptLimits, Counted, Counter, Scope, _Count
from domain.identity.tables import sign_in_attempts

_SWEPT_AT_ONCE = 500


class AttemptRepository:
    """Counters in one unit of work. Every method locks the counters that it names until the unit of work ends."""

    def __init__(self, connection: Connection, limits: AttemptLimits) -> None:
        self._connection = connection
        self._limits = limits

    def is_trusted(self, device: Counter, now: datetime) -> bool:
        """Whether a known device has wrong tries left before it counts as a stranger."""
        return self._counts([device], now)[device].failures < self._limits.free

    def attempt(self, counters: Sequence[Counter], now: datetime) -> Counted | timedelta:
        """Count one wrong try, or say how long until the next one is looked at; then none is counted.

        Raises:
            sqlalchemy.exc.DBAPIError: another one was first: roll back and try again.
        """
        counts = self._counts(counters, now)
        waits = [one.blocked_until - now for one in counts.values() if one.blocked_until and one.blocked_until > now]
        if waits:
            return max(waits)
        more = {counter: count.one_more(counter, self._limits, now) for counter, count in counts.items()}
        for counter, count in more.items():
            self._keep(counter, count)
        if not all(count.is_kept for count in more.values()):
            self._sweep(now)
        return Counted({counter: count.blocked_until for counter, count in more.items()})

    def take_back(self, counted: Counted, now: datetime, *, proven: bool) -> None:
        """Take a counted try back, for it was not wrong.

        Args:
            counted: the try.
            now: the present.
            proven: it was right: the device, or the account from this network, is free again. What counts strangers
                and networks has one fewer and no more: others' wrong tries stay counted.
        """
        for counter, count in self._counts(counted.blocked_until, now).items():
            if proven and counter.scope in {Scope.DEVICE, Scope.HERE}:
                self._connection.execute(delete(sign_in_attempts).where(sign_in_attempts.c.key == counter.key))
            elif count.failures:
                own = counted.blocked_until[counter]
                self._keep(counter, count.one_fewer(counter, self._limits, own))

    def _counts(self, counters: Collection[Counter], now: datetime) -> dict[Counter, _Count]:
        """The values of counters, locked in the order of their keys to avoid deadlocks."""
        table = sign_in_attempts
        ordered = sorted(counters, key=lambda counter: counter.key)
        query = select(table).where(table.c.key.in_([counter.key for counter in ordered])).order_by(table.c.key)
        rows = {row.key: row for row in self._connection.execute(query.with_for_update())}
        return {counter: self._count(counter, rows.get(counter.key), now) for counter in ordered}

    def _count(self, counter: Counter, row: Row[*tuple[object, ...]] | None, now: datetime) -> _Count:
        lasts = FORGOTTEN_AFTER if counter.most_an_hour(self._limits) is None else AN_HOUR
        if row is None or now - row.last_failed_at >= lasts:
            return _Count(row is not None, 0, now, None)
        return _Count(is_kept=True, failures=row.failures, since=row.last_failed_at, blocked_until=row.blocked_until)

    def _keep(self, counter: Counter, count: _Count) -> None:
        values = {"failures": count.failures, "last_failed_at": count.since, "blocked_until": count.blocked_until}
        if count.is_kept:
            this = sign_in_attempts.c.key == counter.key
            self._connection.execute(update(sign_in_attempts).where(this).values(**values))
        else:  # fails if another transaction has inserted the row meanwhile
            self._connection.execute(insert(sign_in_attempts).values(key=counter.key, **values))

    def _sweep(self, now: datetime) -> None:
        """Delete some expired counters, more than one attempt adds, so that no more than those of a day are stored."""
        forgotten = sign_in_attempts.c.last_failed_at < now - FORGOTTEN_AFTER
        query = select(sign_in_attempts.c.key).where(forgotten).limit(_SWEPT_AT_ONCE)
        keys: Iterable[str] = list(self._connection.execute(query).scalars())
        if keys:
            self._connection.execute(delete(sign_in_attempts).where(sign_in_attempts.c.key.in_(keys), forgotten))
