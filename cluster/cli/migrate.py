"""`fitmonitor migrate`: brings the database schema up to date."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import column, table, update

from cluster.backup.schema import refuse_half_filled
from cluster.cli.output import print_plain
from cluster.errors import CommandError
from cluster.local.prepare import accounts
from cluster.settings_file import stack_settings
from domain.column_types import Id
from domain.identity.email_addresses import CollidingAddressesError
from domain.migrations.run import MigrationBusyError, upgrade
from domain.unit_of_work import Store
from integrations.local_identity.address_migration import release_addresses
from integrations.settings import Settings

_USERS = table("users", column("id", Id()), column("email"))


def migrate(
    release_address: Annotated[
        list[UUID] | None,
        typer.Option(metavar="ID", help="First remove the email address of this account; repeat it for more."),
    ] = None,
) -> None:
    """Bring the schema of the database and of the local accounts file up to date. Idempotent.

    It uses the database of the running stack, else that of the environment.

    Example: fitmonitor migrate
    """
    settings = stack_settings()
    url = settings.database.url.get_secret_value()
    if not url:
        raise CommandError("no database is configured", "set FITMONITOR_DATABASE__URL, or start the stack")
    refuse_half_filled(url)
    for account in release_address or ():
        _release(settings, account)
    try:
        if settings.identity.accounts_file is not None and settings.identity.accounts_file.exists():
            accounts(settings)
        upgrade(url)
    except MigrationBusyError as error:
        raise CommandError(str(error), "wait until it has ended, then run this again") from error
    except CollidingAddressesError as error:
        raise CommandError(str(error)) from error
    typer.echo("the database is up to date")


def _release(settings: Settings, account: UUID) -> None:
    """Remove an account's email address from the database and from the local identity provider.

    Raises:
        CommandError: there is no such account.
    """
    file = settings.identity.accounts_file
    found = release_addresses(file, [account]) if file is not None else set()
    store = Store(settings.database.url.get_secret_value(), pool_size=1)
    try:
        with store.writing() as connection:
            changed = connection.execute(update(_USERS).where(_USERS.c.id == account).values(email=None)).rowcount
    finally:
        store.close()
    if not found and not changed:
        raise CommandError(f"there is no account {account}", "use an id from the error message of `fitmonitor migrate`")
    print_plain(f"the email address of {account} is removed")
