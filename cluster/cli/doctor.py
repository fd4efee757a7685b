"""`fitmonitor doctor`."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
from integrations.settings_errors import DELIMITER, PREFIX

_VARIABLE = re.compile(rf"{PREFIX}[A-Z_]+")


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
    settings, gaps = _settings(profile)
    findings = [*gaps, *examine(settings, profile or settings.profile, _running(settings))]
    if as_json:
        print_json(findings)
    else:
        _show(findings)
    if any(finding.lacks for finding in findings):
        raise typer.Exit(1)


def _settings(profile: Profile | None) -> tuple[Settings, list[Finding]]:
    """The profile's settings; without those that are wrong or missing, so that the machine is examined anyway."""
    try:
        settings = _read(profile)
        return settings, [_deprecated(variable) for variable in settings.deprecated_variables]
    except ValidationError as error:
        told = _told(error)
    with _without({name for each in told for name in _VARIABLE.findall(each)}):
        try:
            settings = _read(profile)
        except ValidationError as error:  # what production lacks
            told += [each for each in _told(error) if each not in told]
            settings = Settings(profile=Profile.EMBEDDED)
    mend = "set it in the environment as docs/configuration.md describes it"
    return settings, [Finding("settings", good=False, found=each, mend=mend) for each in told]


def _deprecated(variable: str) -> Finding:
    return Finding(
        "settings", good=False, found=f"{variable} is deprecated and has no effect", mend="unset it", needed=False
    )


def _read(profile: Profile | None) -> Settings:
    return Settings() if profile is None else Settings(profile=profile)


def _told(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in error.errors()]


@contextmanager
def _without(variables: set[str]) -> Iterator[None]:
    """The environment without these variables, and without the groups that they are in."""
    left_out = variables | {name.partition(DELIMITER)[0] for name in variables}
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.upper() in left_out}
    try:
        yield
    finally:
        os.environ.update(kept)


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
