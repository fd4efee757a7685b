"""`fitmonitor backup`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from cluster.backup.create import Taken, take
from cluster.backup.progress import shown
from cluster.cli.database import opened
from cluster.cli.output import print_json, print_plain
from cluster.settings_file import stack_settings


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; it holds keys and personal data, and is yours alone.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What is in it, as JSON.")] = False,
) -> None:
    """Write all that this stack keeps into one file: rows of one moment, keys, accounts, pictures.

    Scans and payments go on meanwhile. The file appears under its name once it is whole. `fitmonitor restore` puts
    it into an empty stack, of another profile too; `fitmonitor restore FILE --check` proves that it can be read.

    Example: fitmonitor backup /media/backups/monday.fitmonitor
    """
    began = time.monotonic()
    settings = stack_settings()
    with opened(settings), shown("backup") as told:
        taken = take(settings, file, told, force=force)
    if as_json:
        print_json(_as_json(file, taken, time.monotonic() - began))
        return
    said = taken.manifest
    print_plain(f"{file}: {taken.bytes / 1e6:,.1f} MB, taken at {said.taken_at:%Y-%m-%d %H:%M:%S} UTC")
    pictures = sum(1 for member in said.files if member.content_type)
    files = len(said.files) - pictures
    print_plain(f"{said.rows:,} rows of {len(said.tables)} tables, {files} files, {pictures} pictures")
    for each in said.left_out:
        print_plain(f"not in it: {each}")
    for key in said.missing_pictures:
        print_plain(f"not in it: a picture that is shown, but is not in the store of images: {key}")


def _as_json(file: Path, taken: Taken, seconds: float) -> dict[str, object]:
    said = taken.manifest
    return {
        "file": str(file),
        "bytes": taken.bytes,
        "seconds": round(seconds, 3),
        "id": said.id,
        "taken_at": said.taken_at,
        "version": said.version,
        "revision": said.revision,
        "profile": said.profile,
        "store": said.store,
        "rows": {table.name: table.rows for table in said.tables},
        "files": [member.name for member in said.files],
        "left_out": said.left_out,
        "missing_pictures": said.missing_pictures,
    }
