"""`fitmonitor admin`: creates the first admin, who gives roles to everybody else."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from cluster.cli.database import opened
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from deployments.gateway.identity.schemas import Email, PersonName
from deployments.identity.backend import IdentityBackend
from deployments.identity.open_backend import open_backend
from domain.clock import system_clock
from domain.identity.model import IdentityRefusal, Role
from domain.identity.ports import Account, Directory, IdentityProvider, ProviderUnavailableError, RoleAction
from domain.identity.repository import UserRepository
from domain.identity.service import record_role
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Create the first admin, who gives roles to everybody else.")

_NO_PROVIDER = "set FITMONITOR_IDENTITY__USER_POOL_ID to a user pool, or FITMONITOR_IDENTITY__ACCOUNTS_FILE to a file"
_UNAVAILABLE = "check the user pool and the AWS credentials in the environment, or the accounts file, and try again"


@app.callback()
def _group() -> None:
    """Keep `create` a subcommand although it is the only one."""


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The admin's email address.", show_default=False)],
    name: Annotated[str, typer.Option(help="The admin's name (default: the part before the @).")] = "",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the account's id, address and password as JSON.")
    ] = False,
) -> None:
    """Create an account with the role Admin, or give the role to the existing account of the address.

    A new account gets a random password, which is shown only once. Change it after the first sign-in.

    Example: fitmonitor admin create olga@example.org --name "Olga Brandt"
    """
    settings = stack_settings()
    address = _validated(email, Email, "is not an email address", "write it like olga@example.org")
    person = _validated(name or address.partition("@")[0], PersonName, "is not a name", "use 1 to 200 letters")
    with _providers(settings) as providers:
        account, password = make_admin(providers.provider, providers.directory, address, person)
    _record_role(settings, account)
    if as_json:
        print_json({"user_id": account.sub, "email": account.email, "password": password})
    else:
        print_plain("\n".join(_messages(account, password)))


def make_admin(provider: IdentityProvider, directory: Directory, email: str, name: str) -> tuple[Account, str | None]:
    """Put the account of an address, created if necessary, into the groups User and Admin.

    Returns:
        The account as it was before, or as it was created; its password in the latter case.

    Raises:
        CommandError: the provider refuses; or the account's address is not confirmed.
    """
    account, password = provider.account_of(email), None
    if account is None:
        password = f"Fm-{secrets.token_urlsafe(15)}-1"  # has what any pool may require: both cases, a digit, a symbol
        created = provider.create(email, name, password)
        if isinstance(created, IdentityRefusal):
            raise CommandError(created.detail)
        account = created
    elif not account.confirmed:
        # Anybody can sign up with the address of somebody else, and then knows the password.
        raise CommandError(
            f"the account of {email} is not confirmed", "confirm it with the code from the email, then try again"
        )
    for role in (Role.USER, Role.ADMIN):
        directory.add_to_group(account.sub, role)
    return account, password


def _validated(value: str, annotation: Any, problem: str, hint: str) -> str:  # noqa: ANN401 - an annotation
    try:
        validated: str = TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        raise CommandError(f"{value!r} {problem}", hint) from error
    return validated


@contextmanager
def _providers(settings: Settings) -> Iterator[IdentityBackend]:
    try:
        providers = open_backend(settings)
        try:
            yield providers
        finally:
            if providers.local is not None:
                providers.local.close()
    except NoLocalIdentityError as error:
        raise CommandError(str(error), _NO_PROVIDER) from error
    except ProviderUnavailableError as error:
        raise CommandError(f"the identity provider is unavailable ({error})", _UNAVAILABLE) from error


def _record_role(settings: Settings, account: Account) -> None:
    """Store the role of a user who is in the database. The role of others comes with their next access token."""
    try:
        with opened(settings) as store, store.writing() as connection:
            user = UserRepository(connection).user(account.sub)
            if user is not None and Role.ADMIN not in user.roles:
                record_role(connection, None, account.sub, Role.ADMIN, RoleAction.ADD, system_clock())
    except CommandError:
        return  # the database does not exist yet, or is unavailable


def _messages(account: Account, password: str | None) -> Iterator[str]:
    if password is not None:
        yield f"{account.email} is an admin; the account is new."
        yield f"password: {password}"
    elif Role.ADMIN in account.groups:
        yield f"{account.email} is an admin already."
    else:
        yield f"{account.email} is an admin now; for open sessions from their next access token."
    if not account.enabled:
        yield "The account is disabled. Another admin can enable it."
