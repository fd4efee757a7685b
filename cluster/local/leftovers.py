"""Stops what is left of a stack and clears its run folder away."""

import shutil
from collections.abc import Sequence

from cluster.local.process import end_all, session_members
from cluster.local.record import StackRecord, record_file

# A database writes its pages back when it is asked to end.
_PATIENCE_S = 30.0


def stop_leftovers(record: StackRecord) -> Sequence[str]:
    """Stop every process of a stack but its supervisor, servers last; keep the logs and forget the stack.

    Returns:
        The names of the parts of which something still ran.
    """
    living = {process.pid for process in record.members()}
    stopped = []
    for name, leader in reversed(record.processes.items()):
        members = [process for process in session_members([leader]) if process.pid in living]
        if members:
            stopped.append(name)
            # Ray's own processes first: its workers then end by themselves.
            end_all(members, _PATIENCE_S if len(members) == 1 else 5.0)
    _keep_logs(record)
    shutil.rmtree(record.run_dir, ignore_errors=True)
    record_file(record.data_dir).unlink(missing_ok=True)
    return stopped


def _keep_logs(record: StackRecord) -> None:
    """Ray's and Serve's logs of the last run outlive its folder."""
    logs = (record.run_dir / "ray" / "session_latest" / "logs").resolve()
    if logs.is_dir():
        kept = record.data_dir / "logs" / "ray-session"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(logs, kept)
