"""`fitmonitor identity`: the keys of the local identity provider."""

from typing import Annotated

import typer

from cluster.cli.output import print_json, print_plain
from cluster.errors import CommandError
from cluster.settings_file import stack_settings
from integrations.key_folder import KeyFolder
from integrations.local_identity.keys import rotate_signing_key

app = typer.Typer(no_args_is_help=True, help="Rotate the keys of the local identity provider, which sign tokens.")

_NO_KEYS = "start the embedded or the full profile with `fitmonitor up`, which creates a key"


@app.callback()
def _group() -> None:
    """Keep `rotate-key` a subcommand although it is the only one."""


@app.command("rotate-key")
def rotate_key(
    *,
    retire: Annotated[
        bool,
        typer.Option(
            "--retire", help="Delete the earlier keys at once, after a leak: clients must refresh their tokens."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ids of the keys as JSON.")] = False,
) -> None:
    """Create a new key, which signs tokens from now on. Tokens of earlier keys stay valid until they expire.

    It works with the local identity provider only.

    Example: fitmonitor identity rotate-key
    """
    key_dir = stack_settings().identity.signing_key_dir
    if key_dir is None:
        raise CommandError("this installation has no local identity provider", _NO_KEYS)
    try:
        earlier = KeyFolder(key_dir).key_ids()
        new = rotate_signing_key(key_dir, retire=retire)
    except FileNotFoundError as error:
        raise CommandError("the local identity provider has no signing key", _NO_KEYS) from error
    except OSError as error:
        raise CommandError("the signing keys cannot be changed", str(error)) from error
    if as_json:
        print_json({"key_id": new, "verifying": [] if retire else earlier, "retired": earlier if retire else []})
        return
    print_plain(f"New tokens are signed with key {new}.")
    if earlier:
        print_plain(f"{'Removed' if retire else 'Still accepted'}: {', '.join(earlier)}")
