"""Two deployments that do nothing, in the Serve of the stack that is measured: the most that Serve can do.

`noop_deployments` deploys them in a process of its own, so that the benchmark need not load Ray.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import CommandError
from cluster.local.ray_head import ray_environment
from cluster.local.stack_record import StackRecord

FASTAPI, LEAN = "FastApiNoop", "LeanNoop"
PATHS = {FASTAPI: "/bench/fastapi", LEAN: "/bench/lean"}
BODY = b'{"ok":true}'


@contextmanager
def deployed_noops(record: StackRecord) -> Iterator[None]:
    """Deploy both no-ops, and remove them afterwards.

    Raises:
        CommandError: Serve does not accept them.
    """
    try:
        _run(record, "deploy")
        yield
    finally:
        _run(record, "remove")


def _run(record: StackRecord, action: str) -> None:
    config = record.run_dir / "serve_config.yaml"
    module = "cluster.load.benchmark.noop_deployments"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", module, action, record.addresses["ray"], str(config)],
        env={**os.environ, **ray_environment(record.run_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CommandError(f"`{action}` of the no-ops failed", lines[-1] if lines else "")
