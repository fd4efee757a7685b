"""Draws a report for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster.local.stack_processes import PartStatus
from cluster.status.kafka import Rates
from cluster.status.report import Report
from cluster.status.serve import UNKNOWN, DeploymentState
from integrations.kafka.group_lag import GroupLag

_GOOD = {"running", "healthy"}
_BAD = {"deploy failed", "unhealthy"}
_FULL, _NEARLY = 1.0, 0.9
_BAR = 10
_ONE_ROW = 26  # characters of an application and its only deployment in one row: all rows fit 80 columns and 24 lines
_SIDE_BY_SIDE_FROM = 78  # columns


def overview(report: Report, rates: Mapping[str, Rates], width: int) -> RenderableType:
    """Everything except the processes.

    Args:
        report: of a stack.
        rates: by consumer group; empty for the first report.
        width: of the terminal, in columns.
    """
    blocks: list[RenderableType] = [headline(report), Text()]
    left = Group(_readiness(report), Text(), _gyms(report))
    if width >= _SIDE_BY_SIDE_FROM and report.serve and "serve" not in report.errors:
        beside = Table.grid(padding=(0, 3))
        beside.add_row(left, _serve(report))
        blocks.append(beside)
    else:
        blocks += [left, Text(), _serve(report)]
    return Group(*blocks, Text(), _kafka(report, rates), _letters(report), *_scans(report))


def headline(report: Report) -> Text:
    """The address of the stack, and whether it is ready."""
    state = Text("ready", "green") if report.ready else Text("not ready", "bold red")
    phase = "" if report.phase in {"ready", None} else report.phase  # the supervisor does not update `ready`
    words = [report.target.url, report.target.profile, phase]
    return Text.assemble("  ".join(filter(None, words)), "  ", state, style="bold")


def processes(report: Report) -> RenderableType:
    """A row for each process with its memory."""
    if error := report.errors.get("parts"):
        return _failed("processes", error)
    table = _table("part", "process", "pids", ">MiB (PSS)")
    for part in report.parts:
        pids = Text(", ".join(map(str, part.pids))) if part.alive else Text("dead", "bold red")
        table.add_row(Text(part.part), Text(_short(part)), pids, str(part.pss_mib))
    table.add_row("all", "", "", str(report.pss_mib))
    return table


def memory(report: Report) -> Text:
    """The processes on one line."""
    if error := report.errors.get("parts"):
        return _failed("processes", error)
    dead = [part.part for part in report.parts if not part.alive]
    count = sum(len(part.pids) for part in report.parts if part.alive)
    line = Text(f"{count} processes, {report.pss_mib} MiB")
    return line.append(f"; dead: {', '.join(dead)}", "bold red") if dead else line


def _readiness(report: Report) -> RenderableType:
    parts = report.readiness_parts
    if not parts:
        text = report.readiness if isinstance(report.readiness, str) else f"HTTP {report.http_status}"
        return _failed("services", f"/api/ready answers: {text[:200] or 'nothing'}")
    table = _table("service", "state", ">ms")
    for name, part in parts.items():
        table.add_row(Text(name), _state(part), f"{part.get('latency_ms', 0):.1f}")
    return table


def _state(part: Mapping[str, Any]) -> Text:
    if part.get("ok"):
        return Text("ok", "green")
    return Text("down", "bold red") if part.get("required", True) else Text("down, doors work", "yellow")


def _serve(report: Report) -> RenderableType:
    if error := report.errors.get("serve"):
        return _failed("Serve applications", error)
    table = _table("application", "status", ">replicas")
    for application in report.serve:
        each = application.deployments[0] if len(application.deployments) == 1 else None
        if each is not None and len(application.name) + len(each.name) <= _ONE_ROW:
            status = each.status if application.status in _GOOD else application.status
            table.add_row(Text.assemble((application.name, "bold"), " ", each.name), _status(status), _replicas(each))
            continue
        table.add_row(Text(application.name, "bold"), _status(application.status), "")
        for each in application.deployments:
            table.add_row(Text(f"  {each.name}"), _status(each.status), _replicas(each))
    return table


def _status(word: str) -> Text:
    return Text(
        word, "green" if word in _GOOD else "bold red" if word in _BAD else "dim" if word == UNKNOWN else "yellow"
    )


def _replicas(each: DeploymentState) -> Text:
    enough = each.target is None or each.running >= each.target
    return Text(f"{each.running}/{'?' if each.target is None else each.target}", "" if enough else "bold red")


def _gyms(report: Report) -> RenderableType:
    if error := report.errors.get("gyms"):
        return _failed("gyms", error)
    if not report.gyms:
        return Text("there is no gym yet", "dim")
    table = _table("gym", ">inside", "")
    for gym in report.gyms:
        share = gym.inside / gym.capacity if gym.capacity else 0.0
        style = "bold red" if share >= _FULL else "yellow" if share >= _NEARLY else "green"
        filled = min(_BAR, -(-gym.inside * _BAR // gym.capacity) if gym.capacity else 0)
        bar = Text("█" * filled, style).append("░" * (_BAR - filled), "dim")
        table.add_row(Text(gym.name), f"{gym.inside} of {gym.capacity}", bar)
    return table


def _kafka(report: Report, rates: Mapping[str, Rates]) -> RenderableType:
    if error := report.errors.get("kafka"):
        return _failed("Kafka", error)
    table = _table("consumers", "topic", ">lag", "members", *([">new/s", ">handled/s"] if rates else []))
    for group in report.kafka:
        rate = rates.get(group.group)
        figures = [f"{rate.written:.1f}", f"{rate.handled:.1f}"] if rate else []
        waiting = Text(str(group.lag), "yellow" if group.lag else "")
        table.add_row(Text(group.group), Text(group.topic), waiting, _members(group), *figures)
    return table


def _members(group: GroupLag) -> Text:
    if group.members is None:
        return Text("unknown", "dim")  # librdkafka's mock broker does not tell
    return Text(f"{group.members}, {group.state}", "" if group.members else "bold red")


def _letters(report: Report) -> Text:
    if report.dead_letters is None:
        return _failed("dead letters", report.errors.get("dead_letters", ""))
    found = report.dead_letters
    note = "" if found.counted else " or fewer: some may have been sent again"
    line = Text(f"dead letters waiting: {found.waiting}{note}", "yellow" if found.waiting else "")
    return line.append("  (fitmonitor kafka dead-letters)", "dim") if found.waiting else line


def _scans(report: Report) -> list[Text]:
    counted = ", ".join(f"{outcome} {count}" for outcome, count in sorted(report.scans.items()))
    return [Text(f"scans since the start: {counted}")] if counted else []


def _short(part: PartStatus) -> str:
    return part.process.removeprefix("ray::ServeReplica:")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=True)
    return table


def _failed(what: str, error: str) -> Text:
    return Text(f"{what}: ", "yellow").append(error)
