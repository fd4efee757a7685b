"""Which stack `fitmonitor status` shows: that of this machine's data folder, or one on another machine."""

import os
from dataclasses import dataclass
from typing import Self

from cluster.errors import CommandError
from cluster.local.stack_record import StackRecord, read_record
from cluster.settings_file import stack_settings
from integrations.settings import Profile, Settings

URL_VARIABLE = "FITMONITOR_URL"


@dataclass(frozen=True, slots=True)
class Target:
    """A stack.

    Args:
        url: of its API, without `/api`.
        profile: empty where it is unknown.
        record: of a stack on this machine.
        settings: of its database and Kafka; None where they are unknown.
    """

    url: str
    profile: str
    record: StackRecord | None = None
    settings: Settings | None = None

    @classmethod
    def find(cls) -> Self:
        """The stack of FITMONITOR_URL; else that of the data folder; else production's, from the settings.

        Raises:
            CommandError: there is none.
        """
        url = os.environ.get(URL_VARIABLE, "").strip().rstrip("/").removesuffix("/api")
        environment = Settings()
        if url:
            return cls(url, *_remote(environment))
        record = read_record(environment.data_dir)
        if record is not None and record.is_up:
            return cls(record.url, record.profile, record, stack_settings())
        if environment.profile is Profile.PRODUCTION:
            return cls(environment.api.public_url, *_remote(environment))
        raise CommandError(f"no stack is running in {environment.data_dir}", "start one with `fitmonitor up`")


def _remote(environment: Settings) -> tuple[str, None, Settings | None]:
    # The embedded profile's own database would be shown as that of the other stack.
    if environment.profile is not Profile.PRODUCTION:
        return "", None, None
    return environment.profile, None, environment
