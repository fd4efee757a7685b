"""`fitmonitor admin`: the first admin, who makes the others in the interface."""

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
from deployments.identity.backend import IdentityBackend, open_backend
from domain.clock import system_clock
from domain.identity.model import IdentityRefusal, Role
from domain.identity.ports import Account, Directory, IdentityProvider, ProviderUnavailableError, RoleAction
from domain.identity.repository import UserRepository
from domain.identity.service import record_role
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The first admin, who makes the others in the interface.")

_NO_PROVIDER = "name a user pool in FITMONITOR_IDENTITY__USER_POOL_ID, or a file in FITMONITOR_IDENTITY__ACCOUNTS_FILE"
_AWAY = "look at the pool and the AWS credentials in the environment, or at the accounts file, and try again"


@app.callback()
def _group() -> None:
    """So that `create` stays a word of its own."""


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The admin's address.", show_default=False)],
    name: Annotated[str, typer.Option(help="The admin's name; by default what stands before the @.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The account's id, address and password as JSON.")] = False,
) -> None:
    """Make an account with the role Admin, or give the role to the account of that address.

    A new account gets a random password, which is shown this once; change it after signing in.

    Example: fitmonitor admin create olga@example.org --name "Olga Brandt"
    """
    settings = stack_settings()
    address = _checked(email, Email, "is no address of mail", "write it as in olga@example.org")
    called = _checked(name or address.partition("@")[0], PersonName, "cannot be a name", "1 to 200 letters")
    with _outside(settings) as outside:
        account, password = make_admin(outside.provider, outside.directory, address, called)
    _record(settings, account)
    if as_json:
        print_json({"user_id": account.sub, "email": account.email, "password": password})
    else:
        print_plain("\n".join(_told(account, password)))


def make_admin(provider: IdentityProvider, directory: Directory, email: str, name: str) -> tuple[Account, str | None]:
    """Whoever has the address is in the groups User and Admin from now on.

    Returns:
        The account as it was before, or as it was made; its password in the latter case.

    Raises:
        CommandError: the provider refuses; or nobody has shown yet that the address of the account is theirs.
    """
    account, password = provider.account_of(email), None
    if account is None:
        password = f"Fm-{secrets.token_urlsafe(15)}-1"  # with what any pool may ask for: both cases, a digit, a sign
        made = provider.create(email, name, password)
        if isinstance(made, IdentityRefusal):
            raise CommandError(made.detail)
        account = made
    elif not account.confirmed:
        # Anybody can sign up with an address that is not theirs, and knows the password then.
        raise CommandError(
            f"the account of {email} was not confirmed yet", "enter the code that was sent to it; then once more"
        )
    for role in (Role.USER, Role.ADMIN):
        directory.add_to_group(account.sub, role)
    return account, password


def _checked(value: str, kind: Any, wrong: str, mend: str) -> str:  # noqa: ANN401 - an annotation
    try:
        checked: str = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise CommandError(f"{value!r} {wrong}", mend) from error
    return checked


@contextmanager
def _outside(settings: Settings) -> Iterator[IdentityBackend]:
    try:
        outside = open_backend(settings)
        try:
            yield outside
        finally:
            if outside.local is not None:
                outside.local.close()
    except NoLocalIdentityError as error:
        raise CommandError(str(error), _NO_PROVIDER) from error
    except ProviderUnavailableError as error:
        raise CommandError(f"the identity provider cannot be asked ({error})", _AWAY) from error


def _record(settings: Settings, account: Account) -> None:
    """Keep the role in the store as well, where it has that user; else their next token brings it along."""
    try:
        with opened(settings) as store, store.writing() as connection:
            user = UserRepository(connection).user(account.sub)
            if user is not None and Role.ADMIN not in user.roles:
                record_role(connection, None, account.sub, Role.ADMIN, RoleAction.ADD, system_clock())
    except CommandError:
        return  # no store yet, or away


def _told(account: Account, password: str | None) -> Iterator[str]:
    if password is not None:
        yield f"{account.email} is an admin, new here."
        yield f"password: {password}"
    elif Role.ADMIN in account.groups:
        yield f"{account.email} is an admin already."
    else:
        yield f"{account.email} is an admin now; whoever is signed in counts as one from the next token on."
    if not account.enabled:
        yield "The account is disabled: another admin enables it again."
