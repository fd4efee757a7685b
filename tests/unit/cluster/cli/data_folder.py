"""A stack's data folder with a database, keys, and two users; and one command run against it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import typer
from typer.testing import CliRunner, Result

from cluster.cli import passes
from cluster.cli.reconcile import reconcile
from cluster.cli.scan import scan
from cluster.cli.token import token
from domain.identity.model import Role, User
from domain.identity.repository import UserRepository
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.local_identity.keys import ensure_signing_key
from integrations.pass_keys import ensure_pass_key
from integrations.settings import Settings, settings
from tests.servers import migrate

MEMBER, ADMIN = "ada@demo.example", "admin@demo.example"


class Stack:
    """What the commands find."""

    def __init__(self, data_dir: Path, environment: dict[str, str]) -> None:
        self.environment = environment | {"FITMONITOR_DATA_DIR": str(data_dir)}
        self.settings = Settings(data_dir=data_dir)
        self.ids: dict[str, UUID] = {}

    def fill(self) -> None:
        """Database, keys and users."""
        migrate(self.url)
        for ensure, key_dir in (
            (ensure_pass_key, self.settings.passes.key_dir),
            (ensure_signing_key, self.settings.identity.signing_key_dir),
        ):
            assert key_dir is not None
            ensure(key_dir)
        store = Store(self.url, pool_size=1)
        with store.writing() as connection:
            for email, role in ((MEMBER, Role.USER), (ADMIN, Role.ADMIN)):
                self.ids[email] = new_id()
                now, roles = datetime.now(UTC), frozenset({role})
                UserRepository(connection).add(User(self.ids[email], email, "Somebody", None, None, now, roles=roles))
        store.close()

    def demo(self, *gates: dict[str, str]) -> None:
        """The file that a demo leaves, with one gym."""
        gym = {"id": str(new_id()), "name": "Riverside", "gates": list(gates)}
        (self.settings.data_dir / "demo.json").write_text(json.dumps({"gyms": [gym]}))

    @property
    def url(self) -> str:
        return self.settings.database.url.get_secret_value()

    def run(self, *words: str, stdin: str | None = None) -> Result:
        """One command, as the command line runs it; an error is in `exception`."""
        settings.cache_clear()  # a command is a process of its own
        app = typer.Typer()
        app.command("token")(token)
        app.command("scan")(scan)
        app.command("reconcile")(reconcile)
        app.add_typer(passes.app, name="pass")
        return CliRunner().invoke(app, list(words), input=stdin, env=self.environment)


@contextmanager
def clean_environment() -> Iterator[None]:
    """Without the settings of whoever runs the tests."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("FITMONITOR_")}
    try:
        yield
    finally:
        settings.cache_clear()
        os.environ.update(kept)
