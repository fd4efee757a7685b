"""`fitmonitor backup`: writes everything that a stack keeps into one file."""

import time
from pathlib import Path
from typing import Annotated

import typer

from cluster.backup.create import Created, create_backup
from cluster.backup.progress import progress_bar
from cluster.cli.database import opened
from cluster.cli.output import local_time, print_json, print_plain
from cluster.settings_file import stack_settings


def backup(
    file: Annotated[
        Path, typer.Argument(help="The file to write, readable by its owner only: it has keys and personal data.")
    ],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the backup contains as JSON.")] = False,
) -> None:
    """Write a backup of the stack: the database at one moment, keys, accounts and pictures, in one file.

    Scans and payments go on meanwhile. The file appears under its name when it is complete. `fitmonitor restore` loads
    it into an empty stack, of any profile; `fitmonitor restore FILE --check` verifies it.

    Example: fitmonitor backup /media/backups/monday.fitmonitor
    """
    began = time.monotonic()
    settings = stack_settings()
    with opened(settings), progress_bar("backup") as progress:
        created = create_backup(settings, file, progress, force=force)
    if as_json:
        print_json(_as_json(file, created, time.monotonic() - began))
        return
    manifest = created.manifest
    print_plain(f"{file}: {created.bytes / 1e6:,.1f} MB, taken at {local_time(manifest.taken_at, seconds=True)}")
    pictures = sum(1 for member in manifest.files if member.content_type)
    files = len(manifest.files) - pictures
    print_plain(f"{manifest.rows:,} rows of {len(manifest.tables)} tables, {files} files, {pictures} pictures")
    for each in manifest.left_out:
        print_plain(f"not included: {each}")
    for key in manifest.missing_pictures:
        print_plain(f"not included: picture {key}, which is missing from the image store")


def _as_json(file: Path, created: Created, seconds: float) -> dict[str, object]:
    manifest = created.manifest
    return {
        "file": str(file),
        "bytes": created.bytes,
        "seconds": round(seconds, 3),
        "id": manifest.id,
        "taken_at": manifest.taken_at,
        "version": manifest.version,
        "revision": manifest.revision,
        "profile": manifest.profile,
        "store": manifest.store,
        "rows": {table.name: table.rows for table in manifest.tables},
        "files": [member.name for member in manifest.files],
        "left_out": manifest.left_out,
        "missing_pictures": manifest.missing_pictures,
    }
