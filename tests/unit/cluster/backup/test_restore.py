"""A backup is restored into an empty stopped stack, completely or not at all."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import inspect, select, text

from cluster.backup.manifest import FORMAT, Manifest, TableMember
from cluster.backup.progress import Progress
from cluster.backup.reader import opened_backup
from cluster.backup.restore import restore_backup
from cluster.backup.row_format import Kind, RowFormat
from cluster.backup.schema import add_restore_mark, newest_revision, refuse_half_filled
from cluster.backup.writer import new_backup
from cluster.errors import CommandError
from cluster.local.stack_record import stack_lock
from domain.identity.model import Tokens
from domain.identity.tables import users
from domain.images.model import ImagePrefix, Size, image_key
from domain.memberships.tables import ledger_entries, memberships
from domain.migrations.run import at_head
from domain.tables import metadata
from domain.unit_of_work import Store
from integrations.images.store import open_image_store
from integrations.local_identity.keys import ensure_signing_key
from integrations.local_identity.provider import LocalProvider
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key, rotate_pass_key
from integrations.settings import ImageSettings, Profile, Settings
from tests.mailbox import Mailbox
from tests.servers import migrate
from tests.unit.cluster.backup.filled_folder import (
    MOMENT,
    NAME,
    PICTURE,
    checksums,
    restored,
    rewritten,
    taken,
    url_of,
)
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD


def tables_of(settings: Settings) -> set[str]:
    store = Store(url_of(settings), pool_size=1)
    with store.reading() as connection:
        names = set(inspect(connection).get_table_names())
    store.close()
    return names


def rows_of(settings: Settings, table: str) -> int:
    with closing(sqlite3.connect(settings.data_dir / "fitmonitor.sqlite3")) as link:
        return int(link.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - of a test


def provider_of(settings: Settings) -> LocalProvider:
    assert settings.identity.signing_key_dir is not None
    ensure_signing_key(settings.identity.signing_key_dir)
    return LocalProvider(settings, Mailbox())


def test_files_are_restored_with_the_rows(stack: Settings, empty: Settings, file: Path) -> None:
    assert stack.passes.key_dir is not None
    code = PassSigner(stack.passes.key_dir).sign(uuid4(), MOMENT)
    done = restored(empty, file)
    assert (done.pictures, done.pictures_wait, done.not_restored) == (4, False, [])
    assert empty.passes.key_dir is not None
    assert PassVerifier(empty.passes.key_dir).read(code, MOMENT).member_id is not None
    provider = LocalProvider(empty, Mailbox())
    assert isinstance(provider.sign_in(EMAIL, PASSWORD), Tokens)
    provider.close()
    for prefix in ImagePrefix:
        for size in Size:
            found = open_image_store(empty).get(image_key(prefix, NAME, size))
            assert found is not None
            assert (found.data, found.content_type) == (PICTURE, "image/webp")
    assert (empty.data_dir / "demo.json").read_bytes() == (stack.data_dir / "demo.json").read_bytes()
    for path in (*empty.data_dir.glob("*.sqlite3"), empty.data_dir / "demo.json", *empty.data_dir.glob("keys/*/*.pem")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_restored_files_are_private_whatever_the_umask(empty: Settings, file: Path) -> None:
    before = os.umask(0)
    try:
        restored(empty, file)
    finally:
        os.umask(before)
    assert not (empty.data_dir / "fitmonitor.sqlite3").stat().st_mode & 0o077


def test_the_copy_of_the_accounts_has_the_latest_writes(stack: Settings, empty: Settings, tmp_path: Path) -> None:
    provider = LocalProvider(stack, Mailbox())  # which stays open: its last writes are in a journal beside the file
    provider.create("late@example.com", "Late", PASSWORD)
    taken(stack, tmp_path / "file")
    provider.close()
    restored(empty, tmp_path / "file")
    provider = LocalProvider(empty, Mailbox())
    assert isinstance(provider.sign_in("late@example.com", PASSWORD), Tokens)
    provider.close()


def a_minute_before(folder: Path, ensure: Callable[[Path], str]) -> str:
    """A key that was made a minute ago: a key is called by its second."""
    made = ensure(folder)
    own = f"{int(made, 16) - 60:08x}"
    (folder / f"{made}.pem").rename(folder / f"{own}.pem")
    return own


def test_a_stack_that_was_started_once_and_never_used_is_empty(empty: Settings, file: Path) -> None:
    empty.data_dir.mkdir()
    migrate(url_of(empty))
    assert empty.passes.key_dir is not None
    assert empty.identity.signing_key_dir is not None
    own = a_minute_before(empty.passes.key_dir, ensure_pass_key)
    a_minute_before(empty.identity.signing_key_dir, ensure_signing_key)
    provider_of(empty).close()
    restored(empty, file)
    assert rows_of(empty, "users") == 2
    assert own in PassVerifier(empty.passes.key_dir).public_keys()


def test_a_stack_with_rows_or_accounts_is_refused_and_unchanged(
    stack: Settings, empty: Settings, file: Path, tmp_path: Path
) -> None:
    before = checksums(taken(stack, tmp_path / "before"))
    with pytest.raises(
        CommandError, match=r"this stack is not empty: it has .*2 gyms.*1 accounts: set FITMONITOR_DATA_DIR"
    ):
        restored(stack, file, yes=True)
    assert checksums(taken(stack, tmp_path / "after")) == before
    empty.data_dir.mkdir()
    provider = provider_of(empty)
    provider.create(EMAIL, "Ana", "another password of hers")
    with pytest.raises(CommandError, match=r"it has 1 accounts"):
        restored(empty, file, yes=True)
    assert isinstance(provider.sign_in(EMAIL, "another password of hers"), Tokens)
    provider.close()
    assert tables_of(empty) == set()


def test_a_running_stack_is_refused(empty: Settings, file: Path) -> None:
    with stack_lock(empty.data_dir), pytest.raises(CommandError, match="fitmonitor down stops it"):
        restored(empty, file)
    assert not (empty.data_dir / "fitmonitor.sqlite3").exists()


def test_a_damaged_file_is_refused_before_anything_is_written(empty: Settings, file: Path) -> None:
    with pytest.raises(CommandError, match="does not match its checksum"):
        restored(empty, rewritten(file, {"files/demo.json": b"[]"}))
    assert not empty.data_dir.exists()


@pytest.mark.parametrize("at", ["pictures", "companies", "visits"])
def test_an_interrupted_restore_leaves_no_stack_and_the_next_one_starts_over(
    empty: Settings, file: Path, at: str
) -> None:
    cut_short(empty, file, at)
    assert "restore_under_way" in tables_of(empty)
    with pytest.raises(CommandError, match="restore was interrupted here"):
        refuse_half_filled(url_of(empty))
    with pytest.raises(CommandError, match="nothing was changed"):
        restored(empty, file, yes=False)
    restored(empty, file, yes=True)
    assert rows_of(empty, "visits") == 2
    assert tables_of(empty) == {*(table.name for table in metadata.sorted_tables), "alembic_version"}
    refuse_half_filled(url_of(empty))


def cut_short(settings: Settings, file: Path, at: str) -> None:
    @contextmanager
    def cut(what: str, _total: int) -> Iterator[Progress]:
        def told(part: str, _number: int) -> None:
            if (what, part) == ("restore", at):
                raise KeyboardInterrupt

        yield told

    with opened_backup(file) as backup, pytest.raises(KeyboardInterrupt):
        restore_backup(settings, backup, cut, lambda _question: False)


def test_rows_of_an_interrupted_restore_are_deleted_only_after_confirmation(empty: Settings, file: Path) -> None:
    restored(empty, file)
    store = Store(url_of(empty), pool_size=1)
    add_restore_mark(store, uuid4(), MOMENT)  # as if it had been killed after its commit
    store.close()
    with pytest.raises(CommandError, match="nothing was changed"):
        restored(empty, file, yes=False)
    assert rows_of(empty, "users") == 2
    restored(empty, file, yes=True)
    assert "restore_under_way" not in tables_of(empty)


def test_rows_that_do_not_fit_are_refused_without_showing_them(empty: Settings, file: Path) -> None:
    with opened_backup(file) as backup:
        broken = rewritten_rows(file, backup.manifest, "user_roles", [(uuid4(), "Staff"), (uuid4(), "Admin")])
    with pytest.raises(CommandError, match=r"rows of user_roles do not fit this database \(FOREIGN KEY") as refused:
        restored(empty, broken)
    assert "Staff" not in str(refused.value)
    with pytest.raises(CommandError, match="a restore was interrupted here"):
        refuse_half_filled(url_of(empty))
    restored(empty, file, yes=True)
    assert rows_of(empty, "user_roles") == 2


def rewritten_rows(file: Path, said: Manifest, name: str, rows: list[tuple[object, ...]]) -> Path:
    """A backup with other rows in one table, right in itself."""
    altered = file.with_name("other-rows")
    with opened_backup(file) as backup, new_backup(altered, force=False) as writer:
        for member in said.files:
            writer.add(member.name, backup.content(member), member.content_type)
        tables = []
        for table in said.tables:
            text_ = RowFormat([kind for _, kind in table.columns])
            lines = [text_.encode(rows)] if table.name == name else list(backup.content(table.file))
            tables.append(table.__class__(table.name, table.columns, table.rows, writer.add(table.file.name, lines)))
        writer.finish(replace(said, tables=tables))
    return altered


def test_an_older_backup_is_migrated(empty: Settings, tmp_path: Path) -> None:
    file = tmp_path / "old"
    company, plan, member, held = (UUID(int=number) for number in range(1, 5))
    since = MOMENT - timedelta(days=10)
    old = {
        "companies": [("id", Kind.ID, company), ("name", Kind.TEXT, "Old"), ("created_at", Kind.INSTANT, since)],
        "plans": [
            ("id", Kind.ID, plan), ("company_id", Kind.ID, company), ("name", Kind.TEXT, "Month"),
            ("days", Kind.INTEGER, 30), ("price_amount", Kind.INTEGER, 1000), ("price_currency", Kind.TEXT, "EUR"),
            ("grace_days", Kind.INTEGER, 3), ("covers_all_gyms", Kind.BOOLEAN, True),
            ("created_at", Kind.INSTANT, since),
        ],
        "users": [
            ("id", Kind.ID, member), ("email", Kind.TEXT, EMAIL), ("name", Kind.TEXT, "Ana"),
            ("created_at", Kind.INSTANT, since),
        ],
        "memberships": [
            ("id", Kind.ID, held), ("member_id", Kind.ID, member), ("plan_id", Kind.ID, plan),
            ("starts_at", Kind.INSTANT, since), ("ends_at", Kind.INSTANT, since + timedelta(days=30)),
            ("created_at", Kind.INSTANT, since),
        ],
    }  # fmt: skip
    with new_backup(file, force=False) as writer:
        tables = []
        for name, row in old.items():
            lines = RowFormat([kind for _, kind, _ in row]).encode([[value for _, _, value in row]])
            columns = [(column, kind) for column, kind, _ in row]
            tables.append(TableMember(name, columns, 1, writer.add(f"tables/{name}.jsonl", [lines])))
        writer.finish(Manifest(FORMAT, uuid4(), MOMENT, "0.0.9", "0003", "embedded", "sqlite", tables, []))
    done = restored(empty, file)
    assert (done.disagreements.door, done.disagreements.ledger) == ([], [])
    store = Store(url_of(empty), pool_size=1)
    with store.reading() as connection:
        assert at_head(connection)
        assert newest_revision() > "0003"
        (held_now,) = connection.execute(select(memberships.c.time_zone, memberships.c.without_grace))
        assert (held_now.time_zone, held_now.without_grace) == ("UTC", False)
        assert connection.execute(select(ledger_entries.c.kind)).scalar_one() == "opening"
    store.close()


def test_a_backup_needs_an_up_to_date_schema(stack: Settings, tmp_path: Path) -> None:
    store = Store(url_of(stack), pool_size=1)
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    store.close()
    with pytest.raises(CommandError, match="fitmonitor migrate"):
        taken(stack, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_existing_disagreements_are_restored_and_listed(empty: Settings, file: Path) -> None:
    # The rows that the fixture writes into every table know nothing of each other.
    done = restored(empty, file)
    assert any("open_without_visit" in each for each in done.disagreements.door)
    assert rows_of(empty, "open_visits") == 2


def test_a_missing_picture_is_listed(stack: Settings, tmp_path: Path) -> None:
    key = image_key(ImagePrefix.MACHINES, NAME, Size.SMALL)
    open_image_store(stack).delete(key)
    said = taken(stack, tmp_path / "file")
    assert said.missing_pictures == [key]
    assert len([member for member in said.files if member.content_type]) == 3


def test_a_picture_that_nothing_shows_is_not_included(stack: Settings, tmp_path: Path) -> None:
    open_image_store(stack).put(
        image_key(ImagePrefix.MACHINES, "cd" * 32, Size.LARGE), BytesIO(b"given up"), "image/webp"
    )
    assert not [member for member in taken(stack, tmp_path / "file").files if "cd" * 32 in member.name]


def test_an_existing_key_is_kept_and_a_different_one_is_not_overwritten(
    stack: Settings, empty: Settings, tmp_path: Path
) -> None:
    assert stack.passes.key_dir is not None
    assert empty.passes.key_dir is not None
    code = PassSigner(stack.passes.key_dir).sign(uuid4(), MOMENT)
    rotate_pass_key(stack.passes.key_dir)
    said = taken(stack, tmp_path / "file")
    old = min(member.name for member in said.files if member.name.startswith("files/keys/passes/"))
    empty.passes.key_dir.mkdir(parents=True)
    other = empty.passes.key_dir / Path(old).name
    other.write_bytes(b"another key")
    with pytest.raises(CommandError, match="is another key than that of the backup"):
        restored(empty, tmp_path / "file")
    assert other.read_bytes() == b"another key"
    other.unlink()
    restored(empty, tmp_path / "file")
    assert PassVerifier(empty.passes.key_dir).read(code, MOMENT).member_id is not None


def test_production_backups_have_neither_pictures_nor_accounts(stack: Settings, tmp_path: Path) -> None:
    production = stack.model_copy(update={"profile": Profile.PRODUCTION, "images": ImageSettings(bucket="pictures-eu")})
    production.identity = production.identity.model_copy(
        update={"user_pool_id": "eu_pool", "accounts_file": None, "signing_key_dir": None}
    )
    said = taken(production, tmp_path / "file")
    assert {member.name.rsplit("/", 1)[0] for member in said.files} == {"files/keys/passes"}
    assert any("pictures-eu" in each for each in said.left_out)
    assert any("eu_pool" in each for each in said.left_out)
    assert said.rows == 2 * len(said.tables)


def test_local_accounts_are_not_restored_with_another_provider(empty: Settings, file: Path) -> None:
    empty.identity = empty.identity.model_copy(update={"accounts_file": None, "signing_key_dir": None})
    done = restored(empty, file)
    assert "accounts and passwords" in done.not_restored[0]
    assert not (empty.data_dir / "accounts.sqlite3").exists()


def test_times_keep_their_microseconds(empty: Settings, file: Path) -> None:
    restored(empty, file)
    store = Store(url_of(empty), pool_size=1)
    with store.reading() as connection:
        assert MOMENT.microsecond == 250_001
        assert {at.microsecond for at in connection.execute(select(users.c.created_at)).scalars()} == {250_001}
    store.close()
