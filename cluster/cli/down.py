"""`fitmonitor down`."""

import signal

import typer

from cluster.errors import CommandError
from cluster.local.process import wait_gone
from cluster.local.record import read_record, stack_lock, stop_leftovers
from integrations.settings import Settings

# Serve, Ray, Kafka and MariaDB each have their own, shorter limit.
_PATIENCE_S = 120.0


def down() -> None:
    """Stop the stack of FITMONITOR_DATA_DIR and wait until nothing of it is left.

    Example: fitmonitor down
    """
    data_dir = Settings().data_dir
    record = read_record(data_dir)
    if record is None:
        typer.echo(f"no stack is up in {data_dir}")
        return
    supervisor = record.supervisor.find()
    if supervisor is not None:
        supervisor.send_signal(signal.SIGTERM)
        if wait_gone([supervisor], _PATIENCE_S):
            raise CommandError(f"the stack is still stopping after {_PATIENCE_S:.0f} s", f"kill -9 {supervisor.pid}")
    with stack_lock(data_dir):
        # What a supervisor that was killed could not stop.
        stopped = stop_leftovers(record)
    if left := record.members():
        raise CommandError(f"still running: {', '.join(str(process.pid) for process in left)}", "kill -9 these pids")
    typer.echo("stopped" + (f" what was left behind: {', '.join(stopped)}" if stopped else ""))
