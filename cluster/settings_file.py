"""The settings of the stack that is running in the data folder, for commands in another terminal."""

import os
import sys
from functools import cache

from cluster.errors import CommandError
from cluster.local.stack_record import StackRecord, read_record
from integrations.settings import Settings, deprecated_settings_in_use, settings


def stack_settings() -> Settings:
    """The settings of the running stack; without one, those of the environment.

    The addresses and passwords that the stack has chosen, which are in `stack.json`, are put into this process's
    environment, so that later calls read the same settings. Deprecated settings are named on standard error.
    """
    warn_of_deprecated_settings()
    record = read_record(Settings().data_dir)
    if record is not None and record.is_up:
        os.environ.update(record.environment)
        settings.cache_clear()
    return settings()


@cache  # once per process
def warn_of_deprecated_settings() -> None:
    """Print a line on standard error for each deprecated setting that is in use."""
    for setting in deprecated_settings_in_use():
        sys.stderr.write(f"fitmonitor: {setting.variable} is deprecated. {setting.hint}\n")


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
