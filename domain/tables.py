"""All tables of the store in one metadata, for migrations. Code imports a table from its own area."""

import domain.attendance.tables
import domain.companies.tables
import domain.door.tables
import domain.gyms.tables
import domain.idempotency
import domain.identity.tables
import domain.leases
import domain.machines.tables
import domain.memberships.tables
import domain.outbox
import domain.payments.tables  # noqa: F401 - each registers its tables
from domain.metadata import metadata

__all__ = ["metadata"]
