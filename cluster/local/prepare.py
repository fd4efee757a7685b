"""Creates keys, accounts, tables, topics and demo data: `python -m cluster.local.prepare STEP…`.

It is a process of its own, so that the supervisor stays small and the settings are those of the stack.
"""

import sys
from collections.abc import Callable, Mapping

from cluster.backup.schema import refuse_half_filled
from cluster.demo_data import seed_demo
from cluster.errors import CommandError
from cluster.local.topics import create_topics
from domain.identity.ports import ProviderUnavailableError
from domain.migrations.run import upgrade
from integrations.local_identity.keys import ensure_signing_key
from integrations.local_identity.tables import AccountsFile
from integrations.pass_keys import ensure_pass_key
from integrations.settings import Settings, settings


def keys(chosen: Settings) -> None:
    """Create the keys of passes and access tokens."""
    if chosen.passes.key_dir is not None:
        ensure_pass_key(chosen.passes.key_dir)
    if chosen.identity.signing_key_dir is not None:
        ensure_signing_key(chosen.identity.signing_key_dir)


def accounts(chosen: Settings) -> None:
    """Create the file of the local identity provider, before many replicas do so at once, and the mail folder."""
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
    """Migrate the database; refuses one whose restore has not finished."""
    url = chosen.database.url.get_secret_value()
    refuse_half_filled(url)
    upgrade(url)


def topics(chosen: Settings) -> None:
    """Create the Kafka topics."""
    create_topics(chosen.kafka.bootstrap_servers, chosen.kafka)


def demo(chosen: Settings) -> None:
    """Create demo gyms and members."""
    seed_demo(chosen)


STEPS: Mapping[str, Callable[[Settings], None]] = {
    step.__name__: step for step in (keys, accounts, database, topics, demo)
}


def main(names: list[str]) -> int:
    """Run the steps in order; print the reason of a failure as the last line."""
    try:
        for name in names:
            STEPS[name](settings())
    except Exception as error:  # noqa: BLE001 - the supervisor shows the last line
        sys.excepthook(type(error), error, error.__traceback__)
        print(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
