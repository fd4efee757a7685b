"""Tables of companies."""

from sqlalchemy import Column, Integer, String, Table

from domain.column_types import Id, Instant
from domain.metadata import metadata

companies = Table(
    "companies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("address", String(500), nullable=False, server_default=""),  # these and the following: on invoices
    Column("vat_number", String(32), nullable=False, server_default=""),
    Column("vat_rate_bp", Integer, nullable=False, server_default="0"),  # hundredths of a percent
    Column("last_invoice_number", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
)
