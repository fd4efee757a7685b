"""Which pictures are in use, in the database."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from domain.identity.tables import users
from domain.images.model import PICTURE_ADDRESS, ImagePrefix, picture_address
from domain.machines.tables import machines


def shown_names(connection: Connection, prefix: ImagePrefix, names: Collection[str]) -> set[str]:
    """Those of the names that a machine or a member uses."""
    if prefix is ImagePrefix.MACHINES:
        found = connection.execute(select(machines.c.image).where(machines.c.image.in_(names)))
        return {str(row.image) for row in found}
    addresses = [picture_address(name) for name in names]
    found = connection.execute(select(users.c.picture_url).where(users.c.picture_url.in_(addresses)))
    return {str(row.picture_url).removeprefix(PICTURE_ADDRESS) for row in found}
