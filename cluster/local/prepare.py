"""Makes keys, brings the database up to date, makes topics and demo: `python -m cluster.local.prepare STEP…`.

A process of its own, so that the supervisor stays small and the settings are those of the stack.
"""

import sys
from collections.abc import Callable, Mapping

from cluster.backup.schema import refuse_half_filled
from cluster.demo import seed_demo
from cluster.errors import CommandError
from cluster.local.topics import create_topics
from domain.identity.ports import ProviderUnavailableError
from domain.migrations.run import upgrade
from integrations.local_identity.keys import ensure_signing_key
from integrations.local_identity.tables import AccountsFile
from integrations.pass_keys import ensure_pass_key
from integrations.settings import Settings, settings


def keys(chosen: Settings) -> None:
    """The keys of passes and access tokens."""
    if chosen.passes.key_dir is not None:
        ensure_pass_key(chosen.passes.key_dir)
    if chosen.identity.signing_key_dir is not None:
        ensure_signing_key(chosen.identity.signing_key_dir)


def accounts(chosen: Settings) -> None:
    """The local provider's file, before many replicas would make it at once; the folder for mail."""
    if chosen.identity.accounts_file is not None:
        file = AccountsFile(chosen.identity.accounts_file)
        try:
            with file.reading():
                pass
        except ProviderUnavailableError as error:
            raise CommandError(f"{error}: {chosen.identity.accounts_file}") from error
        finally:
            file.close()
    if chosen.mail.folder is not None and not chosen.mail.smtp_host:
        chosen.mail.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def database(chosen: Settings) -> None:
    """The tables; not those that a restore has left half filled."""
    url = chosen.database.url.get_secret_value()
    refuse_half_filled(url)
    upgrade(url)


def topics(chosen: Settings) -> None:
    """The topics."""
    create_topics(chosen.kafka.bootstrap_servers, chosen.kafka)


def demo(chosen: Settings) -> None:
    """Gyms and members to try the system with."""
    seed_demo(chosen)


STEPS: Mapping[str, Callable[[Settings], None]] = {
    step.__name__: step for step in (keys, accounts, database, topics, demo)
}


def main(names: list[str]) -> int:
    """Take the steps in order; leave the reason of a failure as the last line."""
    try:
        for name in names:
            STEPS[name](settings())
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor shows this line and stops
        sys.excepthook(type(error), error, error.__traceback__)
        print(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
