"""The no-ops of `cluster.load.benchmark.noop_deployments` within a running stack: named, put there, taken away."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import CommandError
from cluster.local.ray_head import ray_environment
from cluster.local.record import StackRecord

FASTAPI, LEAN = "FastApiNoop", "LeanNoop"
PATHS = {FASTAPI: "/bench/fastapi", LEAN: "/bench/lean"}
BODY = b'{"ok":true}'


@contextmanager
def deployed_noops(record: StackRecord) -> Iterator[None]:
    """Both no-ops run in the stack's Serve meanwhile.

    Raises:
        CommandError: Serve does not take them.
    """
    try:
        _ask(record, "deploy")
        yield
    finally:
        _ask(record, "remove")


def _ask(record: StackRecord, what: str) -> None:
    config = record.run_dir / "serve_config.yaml"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "cluster.load.benchmark.noop_deployments", what, record.addresses["ray"], str(config)],
        env={**os.environ, **ray_environment(record.run_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CommandError(f"`{what}` of the no-ops failed", said[-1] if said else "")
