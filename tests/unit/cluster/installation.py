"""A data folder with keys and accounts, and a way to run commands on it."""

from pathlib import Path
from shutil import copytree

import typer
from typer.testing import CliRunner, Result

from cluster.cli import admin, identity
from cluster.cli.token import token
from domain.unit_of_work import Store
from integrations.local_identity.provider import LocalProvider
from integrations.settings import settings
from tests.keys import signing_keys
from tests.mailbox import Mailbox
from tests.servers import migrate
from tests.unit.integrations.local_identity.harness import light_settings


class Installation:
    """What the commands find. Each is a process of its own, as far as settings go."""

    def __init__(self, folder: Path) -> None:
        # Where a stack has them: the commands look for them in its data folder.
        keys = folder / "keys" / "identity"
        copytree(signing_keys(), keys)
        self.settings = light_settings(folder, keys)
        self.mailbox = Mailbox()
        self.provider = LocalProvider(self.settings, self.mailbox)
        self.environment = {
            "FITMONITOR_DATA_DIR": str(self.settings.data_dir),
            "FITMONITOR_IDENTITY__ARGON2_MEMORY_KIB": "8",
            "FITMONITOR_IDENTITY__ARGON2_PASSES": "1",
        }

    def store(self) -> Store:
        """The store, with its tables."""
        url = self.settings.database.url.get_secret_value()
        migrate(url)
        return Store(url, pool_size=1)

    def run(self, *words: str, **environment: str) -> Result:
        settings.cache_clear()
        app = typer.Typer()
        app.add_typer(admin.app, name="admin")
        app.add_typer(identity.app, name="identity")
        app.command("token")(token)
        try:
            return CliRunner().invoke(app, list(words), env=self.environment | environment)
        finally:
            settings.cache_clear()
