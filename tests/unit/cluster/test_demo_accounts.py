"""The demo's users at the local identity provider."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cluster.demo_data import read_demo, seed_demo
from domain.identity.model import Tokens
from domain.identity.tables import users
from domain.unit_of_work import Store
from integrations.local_identity.provider import LocalProvider
from integrations.settings import Settings
from tests.mailbox import Mailbox
from tests.servers import migrate
from tests.unit.integrations.local_identity.harness import light_settings


@pytest.fixture(scope="module")
def seeded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    settings = light_settings(folder)
    migrate(settings.database.url.get_secret_value())
    seeded(settings)
    return folder


@pytest.fixture
def demo_settings(tmp_path: Path, seeded_once: Path) -> Settings:
    """Of a stack that was seeded."""
    shutil.copytree(seeded_once, tmp_path, dirs_exist_ok=True)
    return light_settings(tmp_path)


def seeded(settings: Settings) -> dict[str, Any]:
    seed_demo(settings)
    return demo_of(settings)


def demo_of(settings: Settings) -> dict[str, Any]:
    demo = read_demo(settings)
    assert demo is not None
    return demo


def test_an_admin_a_member_of_staff_and_a_member_can_sign_in(
    demo_settings: Settings,
) -> None:
    settings, demo = demo_settings, demo_of(demo_settings)
    people = [demo["admin"], demo["staff"], demo["members"][0]]
    provider = LocalProvider(settings, Mailbox())
    for who in people:
        assert isinstance(provider.sign_in(who["email"], who["password"]), Tokens)
    assert len({who["password"] for who in people}) == 3
    assert (settings.data_dir / "demo.json").stat().st_mode & 0o077 == 0
    store = Store(settings.database.url.get_secret_value())
    with store.reading() as connection:
        known = {row.email: row.id for row in connection.execute(select(users.c.email, users.c.id))}
    store.close()
    assert {email: provider.account_of(email).sub for email in known} == known  # type: ignore[union-attr]
    admin = provider.account_of("admin@demo.example")
    provider.close()
    assert admin is not None
    assert admin.groups == ("Admin",)


def test_seeding_again_keeps_passwords_and_adds_missing_ones(demo_settings: Settings) -> None:
    settings, first = demo_settings, demo_of(demo_settings)
    assert seeded(settings) == first
    file = settings.data_dir / "demo.json"
    older = json.loads(file.read_text())
    for who in (older["admin"], older["staff"], older["members"][0]):
        del who["password"]
    file.write_text(json.dumps(older))
    assert settings.identity.accounts_file is not None
    settings.identity.accounts_file.unlink()
    again = seeded(settings)
    provider = LocalProvider(settings, Mailbox())
    assert isinstance(provider.sign_in("admin@demo.example", again["admin"]["password"]), Tokens)
    provider.close()


def test_a_lost_accounts_file_is_created_again_with_the_same_passwords(
    demo_settings: Settings,
) -> None:
    settings, first = demo_settings, demo_of(demo_settings)
    assert settings.identity.accounts_file is not None
    settings.identity.accounts_file.unlink()
    assert seeded(settings) == first
    provider = LocalProvider(settings, Mailbox())
    for who in (first["admin"], first["staff"], first["members"][0]):
        assert isinstance(provider.sign_in(who["email"], who["password"]), Tokens)
    provider.close()


def test_a_changed_password_is_kept(demo_settings: Settings) -> None:
    settings, demo = demo_settings, demo_of(demo_settings)
    provider = LocalProvider(settings, Mailbox())
    admin = provider.account_of(demo["admin"]["email"])
    assert admin is not None
    provider.set_password(admin.sub, "of the admin's own choice")
    seeded(settings)
    assert admin.email
    assert isinstance(provider.sign_in(admin.email, "of the admin's own choice"), Tokens)
    provider.close()


def test_accounts_of_an_earlier_demo_are_replaced(demo_settings: Settings) -> None:
    settings = demo_settings
    url = settings.database.url.get_secret_value()
    Path(url.removeprefix("sqlite:///")).unlink()
    migrate(url)
    (settings.data_dir / "demo.json").unlink()
    again = seeded(settings)
    provider = LocalProvider(settings, Mailbox())
    assert isinstance(provider.sign_in("admin@demo.example", again["admin"]["password"]), Tokens)
    provider.close()
