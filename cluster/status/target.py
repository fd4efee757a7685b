"""Which stack is asked: the one of this machine's data folder, or one elsewhere."""

import os
from dataclasses import dataclass
from typing import Self

from cluster.errors import CommandError
from cluster.local.record import StackRecord, read_record
from cluster.settings_file import stack_settings
from integrations.settings import Profile, Settings

URL_VARIABLE = "FITMONITOR_URL"


@dataclass(frozen=True, slots=True)
class Target:
    """A stack.

    Args:
        url: where its API is, without `/api`.
        profile: its profile; empty where it is not known.
        record: of a stack on this machine.
        settings: by which its database and Kafka are reached; None where they are not known.
    """

    url: str
    profile: str
    record: StackRecord | None = None
    settings: Settings | None = None

    @classmethod
    def find(cls) -> Self:
        """The stack that FITMONITOR_URL names; else the one of the data folder; else production's, by its settings.

        Raises:
            CommandError: there is none.
        """
        chosen = os.environ.get(URL_VARIABLE, "").strip().rstrip("/").removesuffix("/api")
        environment = Settings()
        if chosen:
            return cls(chosen, *_elsewhere(environment))
        record = read_record(environment.data_dir)
        if record is not None and record.is_up:
            return cls(record.url, record.profile, record, stack_settings())
        if environment.profile is Profile.PRODUCTION:
            return cls(environment.api.public_url, *_elsewhere(environment))
        raise CommandError(f"no stack is up in {environment.data_dir}", "fitmonitor up starts one")


def _elsewhere(environment: Settings) -> tuple[str, None, Settings | None]:
    # The embedded profile's own database would be told as if it were the other stack's.
    if environment.profile is not Profile.PRODUCTION:
        return "", None, None
    return environment.profile, None, environment
