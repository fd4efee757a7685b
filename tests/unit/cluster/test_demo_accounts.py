"""The demo's users at the local identity provider."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cluster.demo import read_demo, seed_demo
from domain.identity.model import Tokens
from domain.tables import users
from domain.unit_of_work import Store
from integrations.local_identity.provider import LocalProvider
from integrations.settings import Settings
from tests.mailbox import Mailbox
from tests.servers import migrate
from tests.unit.identity.local_rig import light_settings


def seeded(settings: Settings) -> dict[str, Any]:
    migrate(settings.database.url.get_secret_value())
    seed_demo(settings)
    demo = read_demo(settings)
    assert demo is not None
    return demo


def test_an_admin_somebody_of_the_staff_and_a_member_can_sign_in_with_passwords_of_their_own(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    demo = seeded(settings)
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


def test_seeding_again_keeps_passwords_and_a_demo_from_before_gets_them(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    first = seeded(settings)
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


def test_an_accounts_file_that_was_lost_is_made_again_with_the_passwords_that_were_printed(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    first = seeded(settings)
    assert settings.identity.accounts_file is not None
    settings.identity.accounts_file.unlink()
    assert seeded(settings) == first
    provider = LocalProvider(settings, Mailbox())
    for who in (first["admin"], first["staff"], first["members"][0]):
        assert isinstance(provider.sign_in(who["email"], who["password"]), Tokens)
    provider.close()


def test_a_password_that_was_changed_stays_as_it_is(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    demo = seeded(settings)
    provider = LocalProvider(settings, Mailbox())
    admin = provider.account_of(demo["admin"]["email"])
    assert admin is not None
    provider.set_password(admin.sub, "of the admin's own choice")
    seeded(settings)
    assert isinstance(provider.sign_in(admin.email, "of the admin's own choice"), Tokens)
    provider.close()


def test_accounts_of_an_earlier_demo_give_way(tmp_path: Path) -> None:
    settings = light_settings(tmp_path)
    seeded(settings)
    Path(str(settings.database.url.get_secret_value()).removeprefix("sqlite:///")).unlink()
    (settings.data_dir / "demo.json").unlink()
    again = seeded(settings)
    provider = LocalProvider(settings, Mailbox())
    assert isinstance(provider.sign_in("admin@demo.example", again["admin"]["password"]), Tokens)
    provider.close()
