"""`fitmonitor doctor`."""

import os
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from cluster.cli.output import print_json
from cluster.local.checks import examine
from cluster.local.findings import Finding
from cluster.local.record import read_record
from cluster.settings_file import stack_settings
from integrations.settings import Profile, Settings


def doctor(
    profile: Annotated[
        Profile | None,
        typer.Option(help="For which profile; else that of FITMONITOR_PROFILE, else embedded.", show_default=False),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Examine this machine, and the servers of a stack that is up or of production; each lack with what mends it.

    Ends with 1 when something that the profile needs is missing. Nothing is changed.

    Example: fitmonitor doctor --profile full
    """
    wanted = profile or Profile(os.environ.get("FITMONITOR_PROFILE", Profile.EMBEDDED))
    settings, gaps = _settings(wanted)
    findings = [*gaps, *examine(settings, wanted, _running(settings))]
    if as_json:
        print_json(findings)
    else:
        _show(findings)
    if any(finding.lacks for finding in findings):
        raise typer.Exit(1)


def _settings(profile: Profile) -> tuple[Settings, list[Finding]]:
    """The profile's settings; where they are incomplete the embedded ones, so that the machine is examined anyway."""
    try:
        return Settings(profile=profile), []
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in error.errors())
        mend = "set them in the environment; docs/configuration.md describes each"
        return Settings(profile=Profile.EMBEDDED), [Finding("settings", good=False, found=told, mend=mend)]


def _running(settings: Settings) -> Settings | None:
    if settings.profile is Profile.PRODUCTION:
        return None
    record = read_record(settings.data_dir)
    return stack_settings() if record is not None and record.is_up else None


def _show(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        mark, style = ("ok", "green") if finding.good else ("lack", "red") if finding.needed else ("note", "yellow")
        console.print(Text.assemble((f"{mark:<4}", style), f"  {finding.what}: {finding.found}"))
        if not finding.good:
            console.print(Text(f"      {finding.mend}", "bold"))
