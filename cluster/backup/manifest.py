"""The manifest of a backup, its member `manifest.json`, which is written last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from cluster.backup.row_format import Kind
from cluster.errors import CommandError

FORMAT = 1
MEMBER = "manifest.json"


@dataclass(frozen=True, slots=True)
class Member:
    """One file in the backup.

    Args:
        name: its path in the backup.
        bytes: its uncompressed size.
        sha256: of its content, hexadecimal.
        content_type: of a picture; empty for other files.
    """

    name: str
    bytes: int
    sha256: str
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class TableMember:
    """One table and the file with its rows. `columns` are names and kinds, in order."""

    name: str
    columns: Sequence[tuple[str, Kind]]
    rows: int
    file: Member


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup contains.

    Args:
        format: of the backup file; see `FORMAT`.
        id: of this backup.
        taken_at: everything committed before then is in it, nothing that was committed later.
        version: of FIT Monitor.
        revision: of the database schema.
        profile: of the stack.
        store: the kind of database: sqlite, mariadb or mysql.
        tables: ordered so that referenced tables come first.
        files: the files that are kept beside the database.
        left_out: what belongs to the stack but is not in the backup, in sentences.
        missing_pictures: keys of pictures that a row shows but the image store lacked.
    """

    format: int
    id: UUID
    taken_at: datetime
    version: str
    revision: str
    profile: str
    store: str
    tables: Sequence[TableMember]
    files: Sequence[Member]
    left_out: Sequence[str] = ()
    missing_pictures: Sequence[str] = ()

    @property
    def members(self) -> Sequence[Member]:
        """All files in the backup except the manifest."""
        return [*(table.file for table in self.tables), *self.files]

    @property
    def rows(self) -> int:
        """Number of rows of all tables."""
        return sum(table.rows for table in self.tables)

    def has(self, name: str) -> bool:
        """Whether the backup has a file of this name."""
        return any(file.name == name for file in self.files)


class _AnyManifest(msgspec.Struct):
    """The fields that every format has."""

    format: int
    version: str


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def decode(data: bytes) -> Manifest:
    """The manifest from JSON.

    Raises:
        CommandError: it is not a manifest, or its format is newer.
    """
    try:
        found = msgspec.json.decode(data, type=_AnyManifest)
        if found.format > FORMAT:
            raise CommandError(
                f"this backup has format {found.format}, but this version supports only format {FORMAT}",
                f"restore it with version {found.version} or newer",
            )
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise CommandError(f"the manifest cannot be read ({error})", "use another backup") from error
