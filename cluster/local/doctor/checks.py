"""All checks of a profile."""

from collections.abc import Iterator, Sequence

from cluster.local.doctor.finding import Finding
from cluster.local.doctor.machine import machine
from cluster.local.doctor.servers import api, pass_keys, servers_reached
from cluster.local.doctor.stack import leftovers, places, ports, servers
from cluster.local.doctor.web_clients import web_clients
from cluster.local.record import StackRecord, read_record
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
    findings = [*machine(profile, settings, up=up), *web_clients(settings)]
    if profile is Profile.PRODUCTION:
        return [*findings, *_production(settings)]
    findings += [*places(settings), *ports(settings, record), *leftovers(settings, record)]
    if profile is Profile.FULL:
        findings += servers()
    if record is not None and up and running is not None:
        findings += _running(record, running)
    return findings


def _production(settings: Settings) -> Iterator[Finding]:
    # Otherwise settings of production are missing, which is reported already.
    if settings.profile is Profile.PRODUCTION:
        yield pass_keys(settings)
        yield from servers_reached(settings, up=False)


def _running(record: StackRecord, settings: Settings) -> Iterator[Finding]:
    yield api(record.url, f"{record.data_dir}/logs")
    yield from servers_reached(settings, up=True)
