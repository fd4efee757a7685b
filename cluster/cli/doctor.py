"""`fitmonitor doctor`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from cluster.local.checks import examine
from integrations.settings import Profile, Settings


def doctor(
    profile: Annotated[Profile, typer.Option(help="For which profile.")] = Profile.EMBEDDED,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Examine this machine; exit 1 when something that the profile needs is missing."""
    findings = examine(Settings(), profile)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            mark = "[green]ok[/green]  " if finding.good else "[red]lack[/red]"
            console.print(f"{mark}  {finding.what}: {finding.found}")
            if not finding.good:
                console.print(f"      [bold]{finding.mend}[/bold]")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
