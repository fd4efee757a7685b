"""What is printed once the stack is ready: where to look, what to try."""

import json
import sys
from pathlib import Path

from cluster.local.record import StackRecord


def announcement(record: StackRecord) -> str:
    """The lines, ready to be copied into another terminal."""
    command = _command()
    lines = [
        f"  API docs   {record.url}/api/docs",
        f"  ready      {record.url}/api/ready",
        f"  logs       {record.data_dir / 'logs'}  (Ray and Serve: {record.run_dir / 'ray/session_latest/logs'})",
        f"  stop       Ctrl-C, or {command} down",
    ]
    if scan := _scan(record, command):
        lines += ["", "  Let a member in (in another terminal):", "", scan]
    return "\n".join(lines)


def _command() -> str:
    """How `fitmonitor` is called from where the person is."""
    program = Path(sys.argv[0])
    if program.name != "fitmonitor":
        return "fitmonitor"
    program = program.absolute()
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)


def _scan(record: StackRecord, command: str) -> str:
    file = record.data_dir / "demo.json"
    if not file.exists():
        return ""
    demo = json.loads(file.read_text(encoding="utf-8"))
    gate = demo["gyms"][0]["gates"][0]
    body = '{\\"code\\": \\"$CODE\\", \\"gate_id\\": \\"' + gate["id"] + '\\", \\"direction\\": \\"auto\\", '
    body += '\\"scan_id\\": \\"$(cat /proc/sys/kernel/random/uuid)\\"}'
    return "\n".join(
        [
            f"CODE=$({command} pass show {demo['members'][0]['email']} --code)",
            f"curl -s {record.url}/api/scans -H 'Authorization: Device {gate['device']}' \\",
            f"  -H 'Content-Type: application/json' -d \"{body}\"",
        ]
    )
