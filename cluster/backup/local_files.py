"""What a stack keeps in files beside its store: keys, the local provider's accounts, the payment sandbox, the demo.

They are copied after the store's snapshot has begun: what a row speaks of is in them, and perhaps a little more.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from cluster.backup.manifest import Member
from cluster.backup.reading import BackupFile
from cluster.backup.writing import BackupWriter
from cluster.demo import FILE as DEMO_FILE
from cluster.errors import CommandError
from integrations.key_folder import KeyFolder
from integrations.local_identity.keys import ensure_signing_key
from integrations.settings import Profile, Settings

ACCOUNTS = "files/accounts.sqlite3"
_KEYS = "files/keys/"
_SANDBOX = "stripe-sandbox/sandbox.sqlite"


def copy_files(settings: Settings, writer: BackupWriter, aside: Path) -> Sequence[Member]:
    """Put all of them into a backup.

    Args:
        settings: of the stack.
        writer: of the backup.
        aside: a folder with room for a copy of the largest.
    """
    copied = []
    for kind, folder in _key_folders(settings).items():
        keys = KeyFolder(folder)
        for key_id in keys.key_ids() if folder.is_dir() else ():
            with suppress(FileNotFoundError):  # retired just now
                copied.append(writer.add(f"{_KEYS}{kind}/{key_id}.pem", [keys.read(key_id)]))
    for name, file in _databases(settings).items():
        if file.exists():
            with _copy_of(file, aside) as copy:
                copied.append(writer.add_file(name, copy))
    copied.extend(writer.add_file(name, file) for name, file in _plain(settings).items() if file.exists())
    return copied


def put_files_back(settings: Settings, backup: BackupFile) -> Sequence[str]:
    """Put all of them where this stack looks for them; keys that are there already stay beside them.

    Returns:
        What was not put back, in sentences.

    Raises:
        CommandError: a folder cannot be written, or has another key under the same name.
    """
    folders, plain = _key_folders(settings), {**_databases(settings), **_plain(settings)}
    homeless = []
    for member in backup.manifest.files:
        if member.name.startswith(_KEYS):
            kind, _, name = member.name.removeprefix(_KEYS).partition("/")
            if kind in folders:
                _put_key(folders[kind] / name, backup.whole(member))
        elif member.name in plain:
            _replace(plain[member.name], backup.content(member))
        elif member.name == ACCOUNTS:
            homeless.append("accounts and passwords, for this stack does not sign people in by a file of its own")
    if "identity" in folders:
        ensure_signing_key(folders["identity"])  # which tells the public halves of all
    return homeless


def kept_accounts(settings: Settings) -> Mapping[str, int]:
    """What is in those files already that a restore would replace: words, and how many."""
    counted = {}
    for what, table, file in (
        ("accounts", "accounts", settings.identity.accounts_file),
        ("objects of the payment sandbox", "objects", _databases(settings).get(f"files/{_SANDBOX}")),
    ):
        if file is not None and file.exists():
            with closing(_opened(file)) as link, suppress(sqlite3.OperationalError):  # a file without tables yet
                counted[what] = int(link.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - as above
    return {what: number for what, number in counted.items() if number}


def _key_folders(settings: Settings) -> Mapping[str, Path]:
    found = {"passes": settings.passes.key_dir, "identity": settings.identity.signing_key_dir}
    return {kind: folder for kind, folder in found.items() if folder is not None}


def _databases(settings: Settings) -> Mapping[str, Path]:
    found = {} if settings.profile is Profile.PRODUCTION else {f"files/{_SANDBOX}": settings.data_dir / _SANDBOX}
    accounts = settings.identity.accounts_file
    return found if accounts is None else {ACCOUNTS: accounts, **found}


def _plain(settings: Settings) -> Mapping[str, Path]:
    if settings.profile is Profile.PRODUCTION:
        return {}
    names = ("stripe-sandbox/secrets.json", DEMO_FILE)
    return {f"files/{name}": settings.data_dir / name for name in names}


@contextmanager
def _copy_of(source: Path, aside: Path) -> Iterator[Path]:
    """A file of SQLite as it is at one moment, though others write it: https://sqlite.org/backup.html."""
    with tempfile.TemporaryDirectory(prefix=".fitmonitor-", dir=aside) as folder:
        copy = Path(folder) / "copy"
        with closing(_opened(source)) as link, closing(sqlite3.connect(copy)) as target:
            link.backup(target)
        yield copy


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=10)


def _put_key(file: Path, pem: bytes) -> None:
    if file.exists():
        if file.read_bytes() != pem:
            raise CommandError(f"{file} is another key than the backup's", "move it away and try again")
        return
    with KeyFolder(file.parent).locked():
        _replace(file, [pem])


def _replace(file: Path, pieces: Iterator[bytes] | Sequence[bytes]) -> None:
    """Write a file, whole or not at all, its owner's alone; with it goes what SQLite kept beside an earlier one."""
    draft = file.with_name(f".{file.name}.restored")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.writelines(pieces)
            out.flush()
            os.fsync(out.fileno())
        for journal in ("-wal", "-shm", "-journal"):
            file.with_name(file.name + journal).unlink(missing_ok=True)
        draft.replace(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror})", "make its folder writable") from error
