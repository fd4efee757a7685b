"""What a backup says of itself, in its member `manifest.json`, which is written last."""

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
    """One file within the backup.

    Args:
        name: within the backup.
        bytes: its size, as it was.
        sha256: of its content, hexadecimal.
        content_type: of a picture.
    """

    name: str
    bytes: int
    sha256: str
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class TableMember:
    """One table: the file with its rows, and how to read them. `columns` are names and kinds, in order."""

    name: str
    columns: Sequence[tuple[str, Kind]]
    rows: int
    file: Member


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of it.

    Args:
        format: of the file; see `FORMAT`.
        id: of this backup.
        taken_at: what was committed before then is in it, what was committed after is not.
        version: of the project.
        revision: of the tables, as the migrations count.
        profile: of the stack.
        store: sqlite, mariadb or mysql.
        tables: in an order in which what is referred to comes first.
        files: what is kept beside the store.
        left_out: what belongs to the stack and is not here, in sentences.
        missing_pictures: shown by a row, but not in the store of images when they were copied.
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
        """Every file within the backup but the manifest."""
        return [*(table.file for table in self.tables), *self.files]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)

    def has(self, name: str) -> bool:
        """Whether a file of that name is in it."""
        return any(file.name == name for file in self.files)


class _AnyManifest(msgspec.Struct):
    """What every format has said and will say."""

    format: int
    version: str


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is kept."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def decode(data: bytes) -> Manifest:
    """The manifest, read.

    Raises:
        CommandError: it is none, or of a newer format.
    """
    try:
        said = msgspec.json.decode(data, type=_AnyManifest)
        if said.format > FORMAT:
            raise CommandError(
                f"this backup has format {said.format}, and only {FORMAT} is known here",
                f"restore it with version {said.version} or newer",
            )
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise CommandError(f"its manifest cannot be read ({error})", "take another backup") from error
