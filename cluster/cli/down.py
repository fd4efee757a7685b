"""`fitmonitor down`: stops the stack."""

import signal

import typer

from cluster.errors import CommandError
from cluster.local.process import wait_gone
from cluster.local.stack_record import read_record, stack_lock, stop_leftovers
from integrations.settings import Settings

# Serve, Ray, Kafka and MariaDB each have their own, shorter limit.
_TIMEOUT_S = 120.0


def down() -> None:
    """Stop the stack of the data folder FITMONITOR_DATA_DIR, and wait until all its processes have ended.

    Example: fitmonitor down
    """
    data_dir = Settings().data_dir
    record = read_record(data_dir)
    if record is None:
        typer.echo(f"no stack is running in {data_dir}")
        return
    supervisor = record.supervisor.find()
    if supervisor is not None:
        supervisor.send_signal(signal.SIGTERM)
        if wait_gone([supervisor], _TIMEOUT_S):
            raise CommandError(f"the stack is still stopping after {_TIMEOUT_S:.0f} s", f"kill -9 {supervisor.pid}")
    with stack_lock(data_dir):
        # What a supervisor that was killed could not stop.
        stopped = stop_leftovers(record)
    if left := record.members():
        raise CommandError(f"still running: {', '.join(str(process.pid) for process in left)}", "kill -9 these pids")
    typer.echo("stopped" + (f", including leftovers of a killed stack: {', '.join(stopped)}" if stopped else ""))
