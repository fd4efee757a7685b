"""`fitmonitor doctor`: checks whether this machine can run the stack."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from cluster.cli.output import print_json
from cluster.errors import ExitCode
from cluster.local.doctor.checks import examine
from cluster.local.doctor.finding import Finding
from cluster.local.stack_record import read_record
from cluster.settings_file import stack_settings
from integrations.deprecated_settings import DeprecatedSetting
from integrations.settings import Profile, Settings, deprecated_settings_in_use
from integrations.settings_errors import DELIMITER, PREFIX

_VARIABLE = re.compile(rf"{PREFIX}[A-Z_]+")


def doctor(
    profile: Annotated[
        Profile | None,
        typer.Option(help="The profile to check for (default: FITMONITOR_PROFILE, else embedded).", show_default=False),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON. `mend` is the deprecated name of `hint`.")
    ] = False,
) -> None:
    """Check this machine, and the servers of a running stack or of production. Each problem comes with its fix.

    It changes nothing. Exit code 1: something that the profile needs is missing.

    Example: fitmonitor doctor --profile full
    """
    settings, problems = _settings(profile)
    findings = [*problems, *examine(settings, profile or settings.profile, _running(settings))]
    if as_json:
        # `mend` is the deprecated name of `hint`.
        print_json([{**asdict(finding), "mend": finding.hint} for finding in findings])
    else:
        _show(findings)
    if any(finding.lacks for finding in findings):
        raise typer.Exit(ExitCode.FAILURE)


def _settings(profile: Profile | None) -> tuple[Settings, list[Finding]]:
    """The profile's settings without the invalid ones, so that the machine is checked anyway; and what to change."""
    deprecated = [_deprecated(setting) for setting in deprecated_settings_in_use()]
    try:
        return _read(profile), deprecated
    except ValidationError as error:
        problems = _problems(error)
    with _without({name for each in problems for name in _VARIABLE.findall(each)}):
        try:
            settings = _read(profile)
        except ValidationError as error:  # what production requires
            problems += [each for each in _problems(error) if each not in problems]
            settings = Settings(profile=Profile.EMBEDDED)
    fix = "set it in the environment as docs/configuration.md describes"
    return settings, [*(Finding("settings", good=False, found=each, hint=fix) for each in problems), *deprecated]


def _deprecated(setting: DeprecatedSetting) -> Finding:
    found = f"{setting.variable} is deprecated"
    return Finding("settings", good=False, found=found, hint=setting.hint, needed=False)


def _read(profile: Profile | None) -> Settings:
    return Settings() if profile is None else Settings(profile=profile)


def _problems(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in error.errors()]


@contextmanager
def _without(variables: set[str]) -> Iterator[None]:
    """The environment without these variables and without the groups that they are in."""
    left_out = variables | {name.partition(DELIMITER)[0] for name in variables}
    removed = {name: os.environ.pop(name) for name in list(os.environ) if name.upper() in left_out}
    try:
        yield
    finally:
        os.environ.update(removed)


def _running(settings: Settings) -> Settings | None:
    """The settings of the stack that is running in the data folder."""
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
            console.print(Text(f"      {finding.hint}", "bold"))
