"""The settings of the stack that is running in the data folder, for commands in another terminal."""

import os

from cluster.errors import CommandError
from cluster.local.record import StackRecord, read_record
from integrations.settings import Settings, settings


def stack_settings() -> Settings:
    """The settings of the running stack; without one, those of the environment.

    The addresses and passwords that the stack has chosen, which are in `stack.json`, are put into this process's
    environment, so that later calls read the same settings.
    """
    record = read_record(Settings().data_dir)
    if record is not None and record.is_up:
        os.environ.update(record.environment)
        settings.cache_clear()
    return settings()


def running_stack() -> StackRecord:
    """The stack that is running in the data folder.

    Raises:
        CommandError: there is none.
    """
    data_dir = Settings().data_dir
    record = read_record(data_dir)
    if record is None or not record.is_up:
        raise CommandError(f"no stack is running in {data_dir}", "start one with `fitmonitor up`")
    return record
