"""What `fitmonitor up` prints once the stack is ready."""

import json
import os
import shlex
from pathlib import Path

import psutil

from cluster.local.process import ProcessId
from cluster.local.ready_message import ready_message
from cluster.local.stack_record import StackRecord

DEMO = {
    "admin": {"email": "admin@demo.example", "password": "one-of-its-own"},
    "staff": {"email": "staff@demo.example", "password": "another_one"},
    "members": [{"email": "ada.albers@demo.example", "password": "a-third"}, {"email": "ben.albers@demo.example"}],
    "gyms": [{"gates": [{"id": "gate", "device": "device.secret"}]}],
}


def said(folder: Path, demo: object = None, **environment: str) -> str:
    if demo is not None:
        (folder / "demo.json").write_text(json.dumps(demo), encoding="utf-8")
    own = ProcessId.of(os.getpid())
    environment = {"FITMONITOR_MAIL__FOLDER": "/var/mail-of-the-stack"} | environment
    return ready_message(
        StackRecord("embedded", "127.0.0.1", 8123, folder, folder, psutil.boot_time(), own, environment=environment)
    )


def test_demo_users_and_passwords_are_listed(tmp_path: Path) -> None:
    lines = [line.split() for line in said(tmp_path, DEMO).splitlines()]
    assert ["admin", "admin@demo.example", "one-of-its-own"] in lines
    assert ["staff", "staff@demo.example", "another_one"] in lines
    assert ["member", "ada.albers@demo.example", "a-third"] in lines


def test_a_command_signs_in(tmp_path: Path) -> None:
    (line,) = (line for line in said(tmp_path, DEMO).splitlines() if "/api/sessions" in line)
    words = shlex.split(line)
    assert "http://127.0.0.1:8123/api/sessions" in words
    assert "Content-Type: application/json" in words
    assert json.loads(words[-1]) == DEMO["admin"]


def test_users_of_another_identity_provider_are_not_listed(tmp_path: Path) -> None:
    people = {name: {"email": DEMO[name]["email"]} for name in ("admin", "staff")}  # type: ignore[index]
    text = said(tmp_path, DEMO | people | {"members": [{"email": "ada.albers@demo.example"}]})
    assert "sign in" not in text.lower()
    assert "/api/scans" in text


def test_without_demo_data_there_are_no_commands(tmp_path: Path) -> None:
    assert "curl" not in said(tmp_path)


def test_the_mail_folder_is_shown_unless_mail_is_sent(tmp_path: Path) -> None:
    assert "/var/mail-of-the-stack" in said(tmp_path)
    assert "/var/mail-of-the-stack" not in said(tmp_path, FITMONITOR_MAIL__SMTP_HOST="mail.example.org")
