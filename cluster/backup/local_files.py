"""The files that a stack keeps beside its database: keys, local accounts, the payment sandbox, the demo.

They are copied after the database's snapshot has begun, so that everything that a row refers to is in them.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from cluster.backup.manifest import Member
from cluster.backup.reader import BackupFile
from cluster.backup.writer import BackupWriter
from cluster.demo_data import FILE as DEMO_FILE
from cluster.errors import CommandError
from integrations.key_folder import KeyFolder
from integrations.local_identity.keys import ensure_signing_key
from integrations.settings import Profile, Settings

ACCOUNTS = "files/accounts.sqlite3"
_KEYS = "files/keys/"
_SANDBOX = "stripe-sandbox/sandbox.sqlite"


def copy_files(settings: Settings, writer: BackupWriter, temporary: Path) -> Sequence[Member]:
    """Copy all of them into a backup.

    Args:
        settings: of the stack.
        writer: of the backup.
        temporary: a folder with room for a copy of the largest.
    """
    copied = []
    for kind, folder in _key_folders(settings).items():
        keys = KeyFolder(folder)
        for key_id in keys.key_ids() if folder.is_dir() else ():
            with suppress(FileNotFoundError):  # retired meanwhile
                copied.append(writer.add(f"{_KEYS}{kind}/{key_id}.pem", [keys.read(key_id)]))
    for name, file in _sqlite_files(settings).items():
        if file.exists():
            with _copy_of(file, temporary) as copy:
                copied.append(writer.add_file(name, copy))
    copied.extend(writer.add_file(name, file) for name, file in _other_files(settings).items() if file.exists())
    return copied


def restore_files(settings: Settings, backup: BackupFile) -> Sequence[str]:
    """Write all of them to where this stack looks for them. Existing keys stay beside those of the backup.

    Returns:
        What was not restored, in sentences.

    Raises:
        CommandError: a folder cannot be written, or has another key of the same name.
    """
    folders, files = _key_folders(settings), {**_sqlite_files(settings), **_other_files(settings)}
    not_restored = []
    for member in backup.manifest.files:
        if member.name.startswith(_KEYS):
            kind, _, name = member.name.removeprefix(_KEYS).partition("/")
            if kind in folders:
                _restore_key(folders[kind] / name, backup.whole(member))
        elif member.name in files:
            _replace(files[member.name], backup.content(member))
        elif member.name == ACCOUNTS:
            not_restored.append("accounts and passwords: this stack has no local accounts file")
    if "identity" in folders:
        ensure_signing_key(folders["identity"])  # which publishes the public halves of all
    return not_restored


def count_local_data(settings: Settings) -> Mapping[str, int]:
    """What the files have that a restore would replace: a description, and the number."""
    counted = {}
    for what, table, file in (
        ("accounts", "accounts", settings.identity.accounts_file),
        ("objects of the payment sandbox", "objects", _sqlite_files(settings).get(f"files/{_SANDBOX}")),
    ):
        if file is not None and file.exists():
            with closing(_connect(file)) as connection, suppress(sqlite3.OperationalError):  # it has no tables yet
                counted[what] = int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - as above
    return {what: number for what, number in counted.items() if number}


def _key_folders(settings: Settings) -> Mapping[str, Path]:
    found = {"passes": settings.passes.key_dir, "identity": settings.identity.signing_key_dir}
    return {kind: folder for kind, folder in found.items() if folder is not None}


def _sqlite_files(settings: Settings) -> Mapping[str, Path]:
    found = {} if settings.profile is Profile.PRODUCTION else {f"files/{_SANDBOX}": settings.data_dir / _SANDBOX}
    accounts = settings.identity.accounts_file
    return found if accounts is None else {ACCOUNTS: accounts, **found}


def _other_files(settings: Settings) -> Mapping[str, Path]:
    if settings.profile is Profile.PRODUCTION:
        return {}
    names = ("stripe-sandbox/secrets.json", DEMO_FILE)
    return {f"files/{name}": settings.data_dir / name for name in names}


@contextmanager
def _copy_of(source: Path, temporary: Path) -> Iterator[Path]:
    """A copy of an SQLite file at one moment, while others write it: https://sqlite.org/backup.html."""
    with tempfile.TemporaryDirectory(prefix=".fitmonitor-", dir=temporary) as folder:
        copy = Path(folder) / "copy"
        with closing(_connect(source)) as connection, closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
        yield copy


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=10)


def _restore_key(file: Path, pem: bytes) -> None:
    if file.exists():
        if file.read_bytes() != pem:
            raise CommandError(f"{file} is another key than that of the backup", "move it away and try again")
        return
    with KeyFolder(file.parent).locked():
        _replace(file, [pem])


def _replace(file: Path, chunks: Iterable[bytes]) -> None:
    """Write a file atomically, readable by its owner only, and delete the journals of an SQLite file before it."""
    draft = file.with_name(f".{file.name}.restored")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.writelines(chunks)
            out.flush()
            os.fsync(out.fileno())
        for journal in ("-wal", "-shm", "-journal"):
            file.with_name(file.name + journal).unlink(missing_ok=True)
        draft.replace(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror})", "make its folder writable") from error
