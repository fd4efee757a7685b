"""All checks of a profile."""

from collections.abc import Iterator, Sequence

from cluster.local.doctor.finding import Finding
from cluster.local.doctor.machine import check_machine
from cluster.local.doctor.servers import check_api, check_pass_keys, check_servers
from cluster.local.doctor.stack import check_folders, check_leftovers, check_ports, check_programs
from cluster.local.doctor.web_clients import check_web_clients
from cluster.local.stack_record import StackRecord, read_record
from integrations.settings import Profile, Settings


def examine(settings: Settings, profile: Profile, running: Settings | None = None) -> Sequence[Finding]:
    """Check everything that the profile needs; changes nothing.

    Args:
        settings: those of the next start.
        profile: of the next start.
        running: the settings of the stack that runs in the data folder, if one does.
    """
    record = read_record(settings.data_dir)
    up = record is not None and record.is_up
    findings = [*check_machine(profile, settings, up=up), *check_web_clients(settings)]
    if profile is Profile.PRODUCTION:
        return [*findings, *_check_production(settings)]
    findings += [*check_folders(settings), *check_ports(settings, record), *check_leftovers(settings, record)]
    if profile is Profile.FULL:
        findings += check_programs()
    if record is not None and up and running is not None:
        findings += _check_running(record, running)
    return findings


def _check_production(settings: Settings) -> Iterator[Finding]:
    # Otherwise settings of production are missing, which is reported already.
    if settings.profile is Profile.PRODUCTION:
        yield check_pass_keys(settings)
        yield from check_servers(settings, up=False)


def _check_running(record: StackRecord, settings: Settings) -> Iterator[Finding]:
    yield check_api(record.url, f"{record.data_dir}/logs")
    yield from check_servers(settings, up=True)
