"""`python -m cluster.local.stripe_sandbox PORT FOLDER` serves until SIGTERM or SIGINT. Nothing leaves this machine."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from pydantic import SecretStr

from cluster.local.ports import LOOPBACK
from cluster.local.stripe_sandbox.guard import UnsafeStartError, check_environment
from cluster.local.stripe_sandbox.sandbox import Sandbox, Secrets
from cluster.local.stripe_sandbox.server import Protocol, make_app
from cluster.signals import end_on_signals
from integrations.log_privacy import redact_log_records

_EXIT_UNSAFE = 2


def serve(port: int, folder: Path, environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        port: on the loopback address.
        folder: of the files that are kept over a restart.
        environment: API key, webhook secret and webhook address.

    Raises:
        UnsafeStartError: there is a live key, or webhooks would leave this machine.
    """
    check_environment(environment)
    secrets = Secrets(
        SecretStr(environment["FITMONITOR_STRIPE__API_KEY"]),
        SecretStr(environment.get("FITMONITOR_STRIPE__WEBHOOK_SECRET", "")),
        environment.get("FITMONITOR_STRIPE__WEBHOOK_URL", ""),
    )
    sandbox = Sandbox.open(folder, secrets, f"http://{LOOPBACK}:{port}")
    # Log lines hold URLs with session ids, and headers at debug level.
    redact_log_records()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # uvicorn raises the signal again after an orderly stop, which is a success.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.run(
        make_app(sandbox),
        host=LOOPBACK,
        port=port,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def main() -> None:
    """Serve, or print in one line why not."""
    end_on_signals()
    os.umask(0o077)
    try:
        serve(int(sys.argv[1]), Path(sys.argv[2]), os.environ)
    except UnsafeStartError as error:
        sys.stderr.write(f"stripe sandbox: {error}\n")
        sys.exit(_EXIT_UNSAFE)


if __name__ == "__main__":
    main()
