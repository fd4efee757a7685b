"""Tables of machines; their use is in `domain.door.tables`."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text
from sqlalchemy.engine.default import DefaultExecutionContext

from domain.column_types import Id, Instant, code, exact
from domain.metadata import metadata
from domain.text import LONGEST_KEY, search_key


def _searched_by_type(context: DefaultExecutionContext) -> str:
    return search_key(context.get_current_parameters()["type"])  # type: ignore[no-untyped-call] # SQLAlchemy's own


machines = Table(
    "machines",
    metadata,
    Column("id", Id, primary_key=True),
    Column("legacy_number", Integer, nullable=False, unique=True),  # what the existing web client calls a machine
    Column("gym_id", Id, ForeignKey("gyms.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("type", String(50), nullable=False),
    Column("search_type", exact(LONGEST_KEY), nullable=False, server_default="", default=_searched_by_type),
    Column("description", Text, nullable=False),
    Column("image", code(64)),  # SHA-256 of the published picture, which is its name in the store of images
    Column("out_of_order_since", Instant),
    Column("out_of_order_reason", String(200)),
    Column("retired_at", Instant),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
)
