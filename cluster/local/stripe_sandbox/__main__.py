"""`python -m cluster.local.stripe_sandbox PORT FOLDER` serves until it is told to end."""

import os
import sys
from pathlib import Path

import uvicorn

from cluster.local.ports import LOOPBACK
from cluster.local.stripe_sandbox.guard import refuse_start
from cluster.local.stripe_sandbox.server import build

_REFUSED = 2


def main(port: int, folder: Path) -> int:
    """Serve on the loopback address."""
    key = os.environ.get("FITMONITOR_STRIPE__API_KEY", "")
    secret = os.environ.get("FITMONITOR_STRIPE__WEBHOOK_SECRET", "")
    webhook_url = os.environ.get("FITMONITOR_STRIPE__WEBHOOK_URL", "")
    why = refuse_start(os.environ, webhook_url)
    if why is None and not (key.startswith("sk_test_") and secret):
        why = "FITMONITOR_STRIPE__API_KEY (sk_test_…) and FITMONITOR_STRIPE__WEBHOOK_SECRET are needed"
    if why is not None:
        print(f"stripe sandbox: {why}", file=sys.stderr)  # noqa: T201 - the process has nothing else to say
        return _REFUSED
    app = build(folder, f"http://{LOOPBACK}:{port}", key, secret, webhook_url)
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
