"""`python -m cluster.local.stripe_sandbox PORT FOLDER` serves until it is told to end. Nothing leaves this machine."""

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
from cluster.local.stripe_sandbox.server import Protocol, make_app
from cluster.local.stripe_sandbox.world import Secrets, World
from cluster.signals import end_on_signals
from integrations.log_privacy import redact_log_records

_UNSAFE = 2


def serve(port: int, folder: Path, environment: Mapping[str, str]) -> None:
    """Be Stripe until SIGTERM or SIGINT.

    Args:
        port: on the loopback address.
        folder: of what is remembered over a restart.
        environment: the key, the webhooks' secret and address.

    Raises:
        UnsafeStartError: a live key is near, or webhooks would leave this machine.
    """
    check_environment(environment)
    secrets = Secrets(
        SecretStr(environment["FITMONITOR_STRIPE__API_KEY"]),
        SecretStr(environment.get("FITMONITOR_STRIPE__WEBHOOK_SECRET", "")),
        environment.get("FITMONITOR_STRIPE__WEBHOOK_URL", ""),
    )
    world = World.open(folder, secrets, f"http://{LOOPBACK}:{port}")
    # What is logged are addresses with ids of sessions, and at debug level headers: neither is.
    redact_log_records()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The server hands the signal on once it has ended in order; that is an end without failure.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    uvicorn.run(
        make_app(world),
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
    """Serve, or tell in a line why not."""
    end_on_signals()
    os.umask(0o077)
    try:
        serve(int(sys.argv[1]), Path(sys.argv[2]), os.environ)
    except UnsafeStartError as error:
        sys.stderr.write(f"stripe sandbox: {error}\n")
        sys.exit(_UNSAFE)


if __name__ == "__main__":
    main()
