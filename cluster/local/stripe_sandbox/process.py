"""The sandbox as a process of a stack."""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from cluster.local.ports import LOOPBACK
from cluster.local.process import ChildProcess
from cluster.local.readiness import ask

_OK = 200


class StripeSandbox:
    """Stripe of a stack that has no key of its own.

    Args:
        log_file: of its output.
        folder: what it remembers.
        port: where it listens.
        webhook_url: where events go.
    """

    keeps_address = True

    def __init__(self, log_file: Path, folder: Path, port: int, webhook_url: str) -> None:
        self._base = f"http://{LOOPBACK}:{port}"
        self._keys = _keys(folder)
        command: list[str | Path] = [sys.executable, "-m", "cluster.local.stripe_sandbox", str(port), folder]
        self.process = ChildProcess("stripe sandbox", command, log_file, folder=log_file.parent, patience_s=5)
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_STRIPE__")}
        self.process.environment = {
            **foreign,
            "FITMONITOR_STRIPE__API_KEY": self._keys["api_key"],
            "FITMONITOR_STRIPE__WEBHOOK_SECRET": self._keys["webhook_secret"],
            "FITMONITOR_STRIPE__WEBHOOK_URL": webhook_url,
        }

    def launch(self) -> None:
        """Start it without waiting."""
        self.process.start()

    def wait(self) -> None:
        """Wait until it answers."""
        self.process.wait_until(lambda: ask(f"{self._base}/_sandbox/health")[0] == _OK, timeout_s=60)

    def environment(self) -> Mapping[str, str]:
        """Where it listens, and keys that open nothing else."""
        return {
            "FITMONITOR_STRIPE__API_KEY": self._keys["api_key"],
            "FITMONITOR_STRIPE__WEBHOOK_SECRET": self._keys["webhook_secret"],
            "FITMONITOR_STRIPE__API_BASE": self._base,
        }


def _keys(folder: Path) -> dict[str, str]:
    """Keys made once and kept, readable by their owner only."""
    file = folder / "keys.json"
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = {"api_key": f"sk_test_{secrets.token_hex(16)}", "webhook_secret": f"whsec_{secrets.token_hex(16)}"}
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(made, out)
    kept: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return kept
