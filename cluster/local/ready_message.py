"""What `fitmonitor up` prints once the stack is ready: addresses, and commands to try."""

import json
import sys
from pathlib import Path
from typing import Any

from cluster.local.stack_record import StackRecord


def ready_message(record: StackRecord) -> str:
    """Return the lines; the commands can be copied into another terminal."""
    command = _command()
    lines = [
        f"  API docs   {record.url}/api/docs",
        f"  ready      {record.url}/api/ready",
        f"  logs       {record.data_dir / 'logs'}  (Ray and Serve: {record.run_dir / 'ray/session_latest/logs'})",
        *_mail(record),
        *_payments(record),
        f"  stop       Ctrl-C, or {command} down",
    ]
    if (demo := _demo(record)) is not None:
        if people := _people(demo):
            lines += ["", "  Demo users and their passwords:", "", *people]
            lines += ["", "  Sign in (in another terminal):", "", _sign_in(record, demo)]
        lines += ["", "  Let a member in (in another terminal):", "", _scan(record, command, demo)]
    return "\n".join(lines)


def _mail(record: StackRecord) -> list[str]:
    """The mail folder, unless mail is sent to a real mail server."""
    folder = record.environment.get("FITMONITOR_MAIL__FOLDER")
    stays_here = "mail server" in record.processes or not record.environment.get("FITMONITOR_MAIL__SMTP_HOST")
    return [f"  mail       {folder}  (sign-up codes arrive here)"] if folder and stays_here else []


def _payments(record: StackRecord) -> list[str]:
    """The address of the payment sandbox, unless Stripe itself is used."""
    base = record.environment.get("FITMONITOR_STRIPE__API_BASE")
    has_sandbox = base and "stripe sandbox" in record.processes
    return [f"  payments   {base}/  (payment sandbox in place of Stripe; no real money moves)"] if has_sandbox else []


def _command() -> str:
    """How to run `fitmonitor` from the current folder."""
    program = Path(sys.argv[0])
    if program.name != "fitmonitor":
        return "fitmonitor"
    program = program.absolute()
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)


def _demo(record: StackRecord) -> dict[str, Any] | None:
    file = record.data_dir / "demo.json"
    if not file.exists():
        return None
    demo: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return demo


def _people(demo: dict[str, Any]) -> list[str]:
    """Empty if another identity provider has the accounts."""
    roles = {"admin": demo["admin"], "staff": demo["staff"], "member": demo["members"][0]}
    return [f"  {role:<10} {who['email']:<26} {who['password']}" for role, who in roles.items() if "password" in who]


def _sign_in(record: StackRecord, demo: dict[str, Any]) -> str:
    shown = json.dumps({name: demo["admin"][name] for name in ("email", "password")})
    return f"curl -s {record.url}/api/sessions -H 'Content-Type: application/json' -d '{shown}'"


def _scan(record: StackRecord, command: str, demo: dict[str, Any]) -> str:
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
