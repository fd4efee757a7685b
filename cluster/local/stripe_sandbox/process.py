"""Starts the sandbox as a server of a local stack."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import CommandError
from cluster.local.http_probe import probe
from cluster.local.ports import LOOPBACK
from cluster.local.process import ChildProcess
from cluster.local.server import Server

_KEY, _SECRET = "FITMONITOR_STRIPE__API_KEY", "FITMONITOR_STRIPE__WEBHOOK_SECRET"
_START_TIMEOUT_S = 60
_PROBE_TIMEOUT_S = 2
_OK = 200


class StripeSandbox(Server):
    """The sandbox of a local stack. Its objects, API key and webhook secret are kept over a restart.

    Args:
        log_file: of its output.
        folder: of its files.
        port: where it listens.
        webhook_url: where it sends events, on this machine.
    """

    def __init__(self, log_file: Path, folder: Path, port: int, webhook_url: str) -> None:
        self._base = f"http://{LOOPBACK}:{port}"
        self._secrets = _own_secrets(folder)
        self._webhook_url = webhook_url
        arguments = [port, folder.absolute()]
        super().__init__(ChildProcess.of_module("stripe sandbox", "cluster.local.stripe_sandbox", arguments, log_file))

    def launch(self) -> None:
        """See `Server`."""
        own = {**self._secrets, "FITMONITOR_STRIPE__WEBHOOK_URL": self._webhook_url}
        self.process.environment = {**os.environ, **own}
        super().launch()

    def wait(self) -> None:
        """Wait until it answers."""
        self.process.wait_until(self._answers, timeout_s=_START_TIMEOUT_S)

    def environment(self) -> Mapping[str, str]:
        """Return its address, API key and webhook secret, which are valid nowhere else."""
        return {**self._secrets, "FITMONITOR_STRIPE__API_BASE": self._base}

    def _answers(self) -> bool:
        return probe(f"{self._base}/_sandbox/health", _PROBE_TIMEOUT_S)[0] == _OK


def _own_secrets(folder: Path) -> Mapping[str, str]:
    """Return API key and webhook secret; create them at the first start."""
    file = folder / "secrets.json"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        made = {_KEY: f"sk_test_{secrets.token_urlsafe(24)}", _SECRET: f"whsec_{secrets.token_urlsafe(24)}"}
        fresh = folder / f"secrets.{os.getpid()}.json"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(made, out)
        fresh.replace(file)  # a crash never leaves half a file
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {_KEY: kept[_KEY], _SECRET: kept[_SECRET]}
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{file} cannot be read", "delete it; the next start creates a new key") from error
