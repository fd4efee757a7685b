"""Tables of users, their sessions and their accounts' history."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text
from sqlalchemy.engine.default import DefaultExecutionContext

from domain.column_types import Id, Instant, code, exact
from domain.identity.email_addresses import LONGEST as LONGEST_ADDRESS
from domain.metadata import metadata
from domain.text import LONGEST_KEY, search_key


def _searched_by_name(context: DefaultExecutionContext) -> str:
    return search_key(context.get_current_parameters()["name"])  # type: ignore[no-untyped-call] # SQLAlchemy's own


users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),  # the identity provider's `sub`
    Column("email", exact(LONGEST_ADDRESS), unique=True),  # `normal_address`; null: none that can be used
    Column("name", String(200), nullable=False),
    # `search_key` of the name; both are always written together.
    Column("search_name", exact(LONGEST_KEY), nullable=False, index=True, server_default="", default=_searched_by_name),
    Column("picture_url", String(500)),
    Column("banned_at", Instant),
    Column("disabled_at", Instant),
    Column("deleted_at", Instant),  # what is left has no personal data
    Column("reminders_off_at", Instant),  # wants no mail before a membership ends
    Column("roles_changed_at", Instant),  # tokens issued before then give no more than `user_roles`
    Column("created_at", Instant, nullable=False),
)


user_roles = Table(
    "user_roles",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", code(16), primary_key=True),
)


sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),  # the provider's `origin_jti`
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("device", String(200), nullable=False),
    Column("address", code(45), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Column("ended_at", Instant),
)


# Rows name no account: a key is a hash of what is counted, whether or not the account exists. For counters per hour,
# `last_failed_at` is the beginning of that hour.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("key", code(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", Instant, nullable=False, index=True),
    Column("blocked_until", Instant),
)


user_changes = Table(
    "user_changes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("by_id", Id),  # null: the provider, or the command line
    Column("what", code(32), nullable=False),
    Column("detail", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_user_changes_user_id_id", "user_id", "id"),
)


# What was answered to an authorization code, for at most 60 s; sealed with the code itself.
code_answers = Table(
    "code_answers",
    metadata,
    Column("code_hash", code(64), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)
