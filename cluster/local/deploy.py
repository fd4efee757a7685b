"""Deploys the Serve applications and waits until they run: `python -m cluster.local.deploy CONFIG ADDRESS START_FILE`.

The process starts together with Ray, so that its imports cost no extra time. It deploys once START_FILE exists.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview
from ray.serve.scripts import cli

_TIMEOUT_S = 180.0


class DeployError(Exception):
    """An application has not started. The message says which and why."""


def deploy(config: Path, address: str) -> None:
    """Submit the configuration as `serve run` does, and wait until all applications run.

    Raises:
        DeployError: an application has failed, or does not run in time.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    _submit(config, address)
    while waiting := [name for name, app in _applications() if app.status is not ApplicationStatus.RUNNING]:
        for name, app in _applications():
            # UNHEALTHY is not final: Serve replaces a replica that fails its health check.
            if app.status is ApplicationStatus.DEPLOY_FAILED:
                print(app.message, flush=True)  # noqa: T201 - the log of this command
                raise DeployError(f"application {name} failed: {_reason(app.message)}")
        if time.monotonic() > deadline:
            raise DeployError(f"not running after {_TIMEOUT_S:.0f} s: {', '.join(waiting)}")
        time.sleep(0.1)


def _submit(config: Path, address: str) -> None:
    """Submit the file; again if Serve has restarted one of its own actors meanwhile."""
    for attempt in range(1, 4):
        try:
            cli.main(["run", str(config), "--address", address, "--non-blocking"], standalone_mode=False)
        except SystemExit as error:
            # `serve run` has printed the reason.
            raise DeployError("Serve refused the configuration") from error
        except (RayError, TimeoutError) as error:
            print(f"attempt {attempt}: {error}", flush=True)  # noqa: T201 - the log of this command
            reason = error
        else:
            return
    raise DeployError(f"Serve does not start: {_reason(str(reason))}") from reason


def _applications() -> Sequence[tuple[str, ApplicationStatusOverview]]:
    """Wait until Serve lists the submitted applications, and return them."""
    while not (found := serve.status().applications):
        time.sleep(0.1)
    return list(found.items())


def _reason(message: str) -> str:
    """Return the line of a traceback that says what went wrong."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def main(config: Path, address: str, start_file: Path) -> int:
    """Deploy once the start file exists; print the reason of a failure as the last line."""
    while not start_file.exists():
        time.sleep(0.05)
    failure = ""
    try:
        deploy(config, address)
    except (DeployError, RayError) as error:
        failure = str(error).strip()
    # Before the last line is printed: until then Ray prints the output of its workers.
    ray.shutdown()
    if failure:
        print(failure.splitlines()[0], flush=True)  # noqa: T201 - read by the supervisor
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
