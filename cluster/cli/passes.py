"""`fitmonitor pass`: a member's pass, and the keys that sign passes."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli import terminal_pass
from cluster.cli.api.errors import NotFoundError
from cluster.cli.database import reading
from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from deployments.qr.passes import IssuedPass, Passes
from domain.clock import system_clock
from domain.identity.email_addresses import normal_address_or_none
from domain.identity.repository import UserRepository
from integrations.key_folder import KeyFolder
from integrations.pass_keys import PassKeyError, PassSigner, retire_pass_key, rotate_pass_key
from integrations.rendering import pass_images
from integrations.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Show a member's pass; rotate the keys that sign passes.")

_NO_KEYS = "start the stack with `fitmonitor up`, which creates a key, or set FITMONITOR_PASSES__KEY_DIR"


@app.command()
def show(
    member_email: Annotated[str, typer.Argument(help="The member's email address.", show_default=False)],
    *,
    code: Annotated[bool, typer.Option("--code", help="Print only the code, for `fitmonitor scan`.")] = False,
    png: Annotated[Path | None, typer.Option(help="Write the QR code to this PNG file.", dir_okay=False)] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the QR code to this SVG file.", dir_okay=False)] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw the QR code here (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the code and its validity as JSON.")] = False,
) -> None:
    """Show a member's current pass. It is valid for 45 s, and for one scan.

    Example: fitmonitor pass show ada.albers@demo.example --png pass.png
    """
    settings = stack_settings()
    issued = _issue(settings, member_email)
    if as_json:
        print_json(issued)
    if code:
        print_plain(issued.code)
    for path, draw in ((png, pass_images.png), (svg, pass_images.svg)):
        if path is not None:
            _write(path, draw(issued.code))
    if terminal or not (as_json or code or png or svg):
        _show(issued)


@app.command("rotate-key")
def rotate_key(
    *,
    retire: Annotated[
        bool,
        typer.Option(
            "--retire", help="Delete the earlier keys at once, after a leak: passes on phones become invalid."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ids of the keys as JSON.")] = False,
) -> None:
    """Create a new key, which signs passes from now on. Passes of earlier keys stay valid.

    Example: fitmonitor pass rotate-key
    """
    key_dir = _key_dir(stack_settings())
    try:
        earlier = KeyFolder(key_dir).key_ids()
        new = rotate_pass_key(key_dir)
        for key_id in earlier if retire else []:
            retire_pass_key(key_dir, key_id)
    except (OSError, PassKeyError) as error:
        raise CommandError("the pass keys cannot be changed", str(error)) from error
    if as_json:
        print_json({"key_id": new, "verifying": [] if retire else earlier, "retired": earlier if retire else []})
        return
    print_plain(f"New passes are signed with key {new}.")
    if earlier:
        print_plain(f"{'Removed' if retire else 'Still accepted'}: {', '.join(earlier)}")


def _issue(settings: Settings, member_email: str) -> IssuedPass:
    with reading(settings) as connection:
        member = UserRepository(connection).user_of(normal_address_or_none(member_email) or "")
    if member is None:
        raise NotFoundError("no user of this stack has this address", "see `fitmonitor member list`")
    try:
        [issued] = Passes(PassSigner(_key_dir(settings))).issue(member.id, system_clock())
    except PassKeyError as error:
        raise CommandError(str(error), _NO_KEYS) from error
    return issued


def _key_dir(settings: Settings) -> Path:
    if settings.passes.key_dir is None:
        raise CommandError("the folder of the pass keys is not set", _NO_KEYS)
    return settings.passes.key_dir


def _write(path: Path, picture: bytes) -> None:
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise CommandError(f"{path} cannot be written", error.strerror or str(error)) from error


def _show(issued: IssuedPass) -> None:
    console = terminal_pass.show(issued.code)
    left = (issued.good_until - system_clock()).total_seconds()
    console.print(f"Good until {issued.good_until.astimezone():%H:%M:%S %Z}, {left:.0f} s from now, for one scan.")
