"""A report for programs."""

from collections.abc import Mapping
from typing import Any

from cluster.status.kafka import Rates
from cluster.status.report import Report


def document(report: Report, rates: Mapping[str, Rates]) -> dict[str, Any]:
    """The report as plain data; what could not be asked is null, and `troubles` says why.

    Args:
        report: of a stack.
        rates: of its consumer groups by name; none at the first look.
    """
    record, lacks = report.target.record, report.troubles
    return {
        "at": report.at,
        "url": report.target.url,
        "profile": report.target.profile or None,
        "phase": report.phase,
        "ready": report.ready,
        "readiness": report.readiness,
        "serve": None if "serve" in lacks else report.serve,
        "scans": None if "serve" in lacks else report.scans,
        "kafka": None
        if "kafka" in lacks
        else [{**each.as_json(), "rates_per_s": rates.get(each.group)} for each in report.kafka],
        "dead_letters": report.dead_letters,
        "gyms": None if "gyms" in lacks else report.gyms,
        "pss_mib": report.pss_mib,
        "addresses": record.addresses if record else {},
        "parts": report.parts,
        "troubles": lacks,
    }
