"""`fitmonitor status`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cluster.local.parts import parts_of
from cluster.local.readiness import ask
from cluster.settings_file import running_stack

_OK = 200


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the parts of the stack of FITMONITOR_DATA_DIR; exit 1 unless it is ready."""
    record = running_stack()
    code, body = ask(f"{record.url}/api/ready")
    parts = parts_of(record)
    ready = code == _OK and record.phase == "ready"
    total = sum(part.pss_mib for part in parts)
    if as_json:
        answer = {
            "url": record.url,
            "profile": record.profile,
            "phase": record.phase,
            "ready": ready,
            "readiness": _parsed(body),
            "pss_mib": total,
            "addresses": record.addresses,
            "parts": [asdict(part) for part in parts],
        }
        typer.echo(json.dumps(answer, indent=1))
    else:
        table = Table("part", "process", "pids", "MiB (PSS)", box=None)
        for part in parts:
            pids = ", ".join(map(str, part.pids)) if part.alive else "[red]dead[/red]"
            table.add_row(part.part, part.process, pids, str(part.pss_mib))
        table.add_row("all", "", "", str(total))
        console = Console(highlight=False)
        console.print(f"{record.url}  {record.profile}  {record.phase}  {'ready' if ready else f'not ready ({code})'}")
        if not ready:
            console.print(body, markup=False)
        console.print(table)
    if not ready:
        raise typer.Exit(1)


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body
