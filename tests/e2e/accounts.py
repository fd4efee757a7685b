"""People who sign up and in at a running stack."""

import email
import re
import time
from email.policy import default
from pathlib import Path

import httpx

from tests.waiting import wait_until

PASSWORD = "tall ships in may"  # noqa: S105 - of nobody
_NO_LONGER_THAN_S = 5.0  # the rule about whoever signed out, was disabled, or has a role no more


class Accounts:
    """Accounts of a stack.

    Args:
        client: of its interface.
        data_dir: the stack's, where mails lie.
    """

    def __init__(self, client: httpx.Client, data_dir: Path) -> None:
        self._client = client
        self._url = str(client.base_url).rstrip("/")
        self._mails = data_dir / "mail"

    def sign_up(self, address: str) -> None:
        wanted = {"email": address, "password": PASSWORD, "name": "Mia Ruiz"}
        opened = self._client.post("/sign-up", json=wanted)
        assert opened.status_code == 202, opened.text
        wait_until(lambda: bool(self._codes(address)), 30, lambda: f"no code was sent to {address}")
        confirmation = {
            "email": address,
            "code": self._codes(address)[-1],
            "sign_up_id": opened.json()["sign_up_id"],
        }
        assert self._client.post("/sign-up/confirm", json=confirmation).status_code == 204

    def sign_in(self, address: str, password: str = PASSWORD) -> dict[str, str]:
        answer = self._client.post("/sessions", json={"email": address, "password": password})
        assert answer.status_code == 201, answer.text
        assert answer.cookies.get("fm_device"), "every replica of Identity has the key of device cookies"
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def everywhere(self, headers: dict[str, str], path: str, status: int) -> None:
        """Wait until each of many connections gets this status; none gets another one too long after the change."""
        changed_at = asked_at = time.monotonic()
        while {self._on_a_new_connection(path, headers) for _ in range(12)} != {status}:
            assert asked_at - changed_at < _NO_LONGER_THAN_S
            time.sleep(0.2)
            asked_at = time.monotonic()

    def _on_a_new_connection(self, path: str, headers: dict[str, str]) -> int:
        return httpx.get(f"{self._url}{path}", headers=headers, timeout=20).status_code

    def _codes(self, address: str) -> list[str]:
        mails = [
            email.message_from_bytes(file.read_bytes(), policy=default) for file in sorted(self._mails.glob("*.eml"))
        ]
        return [
            code for mail in mails if mail["to"] == address for code in re.findall(r"\b\d{6}\b", mail.get_content())
        ]
