"""Sessions in the database."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, and_, insert, or_, select, update

from domain.identity.model import Session, SessionState, roles_of
from domain.identity.tables import sessions, user_roles, users
from domain.paging import Page, PageRequest, chunks, page

_AT_ONCE = 1000
_LONGEST_DEVICE = 200


class SessionRepository:
    """Reads and writes sessions in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def session(self, session_id: UUID) -> Session | None:
        """One session, ended or not."""
        row = self._connection.execute(select(sessions).where(sessions.c.id == session_id)).one_or_none()
        return Session(*row) if row else None

    def add(self, session: Session) -> None:
        """Insert a session.

        Raises:
            sqlalchemy.exc.IntegrityError: the id was taken meanwhile.
        """
        self._connection.execute(
            insert(sessions).values(
                id=session.id,
                user_id=session.user_id,
                device=session.device[:_LONGEST_DEVICE],
                address=session.address,
                created_at=session.created_at,
                last_used_at=session.last_used_at,
            )
        )

    def living(self, user_id: UUID, request: PageRequest) -> Page[Session]:
        """A user's sessions that have not ended, newest first."""
        query = (
            select(sessions)
            .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None))
            .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
            .limit(request.fetch)
        )
        before = self.session(request.after) if request.after else None
        if before is not None:  # the ids come from the provider and are not ordered by time
            query = query.where(
                or_(
                    sessions.c.created_at < before.created_at,
                    and_(sessions.c.created_at == before.created_at, sessions.c.id < before.id),
                )
            )
        found = [Session(*row) for row in self._connection.execute(query)]
        return page(found, request, lambda session: session.id)

    def states(self, session_ids: Collection[UUID]) -> dict[UUID, SessionState]:
        """The states of those sessions that have not ended and whose users are enabled."""
        if not session_ids:
            return {}
        rows = self._connection.execute(
            select(sessions.c.id, users.c.id.label("user_id"), users.c.roles_changed_at, user_roles.c.role)
            .join(users, users.c.id == sessions.c.user_id)
            .outerjoin(user_roles, user_roles.c.user_id == users.c.id)
            .where(
                sessions.c.id.in_(session_ids),
                sessions.c.ended_at.is_(None),
                users.c.disabled_at.is_(None),
            )
        ).all()
        groups: dict[UUID, list[str]] = {}
        for row in rows:
            groups.setdefault(row.id, []).extend([row.role] if row.role else [])
        return {row.id: SessionState(row.user_id, roles_of(groups[row.id]), row.roles_changed_at) for row in rows}

    def used(self, session_ids: Collection[UUID], now: datetime) -> None:
        """Store when sessions were last used."""
        for chunk in chunks(sorted(session_ids), _AT_ONCE):
            self._connection.execute(update(sessions).where(sessions.c.id.in_(chunk)).values(last_used_at=now))

    def end(self, user_id: UUID, session_id: UUID, now: datetime) -> bool:
        """End a session of a user; the first end counts. Returns whether the session is the user's."""
        session = self.session(session_id)
        if session is None or session.user_id != user_id:
            return False
        self._connection.execute(
            update(sessions).where(sessions.c.id == session_id, sessions.c.ended_at.is_(None)).values(ended_at=now)
        )
        return True

    def end_all(self, user_id: UUID, now: datetime, *, but: UUID | None = None) -> None:
        """End all sessions of a user, or all but one."""
        living = update(sessions).where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None))
        if but is not None:
            living = living.where(sessions.c.id != but)
        self._connection.execute(living.values(ended_at=now))
