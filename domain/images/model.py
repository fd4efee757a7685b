"""Pictures of machines and members: their keys in the image store, and refusals."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

QUARANTINE = "quarantine/"
"""Prefix of uploads that were not checked yet. No picture is served from here."""

PICTURE_ADDRESS = "/api/pictures/"
"""Prefix of the URL path of a member's picture."""


class ImagePrefix(StrEnum):
    """Prefixes of published pictures, apart because different people may see them."""

    MACHINES = "images/"
    MEMBERS = "pictures/"


class Size(StrEnum):
    """The sizes of a published picture."""

    LARGE = "large"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A stored file."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture that was encoded again, in both sizes.

    Args:
        sha256: of `large`, hexadecimal; the name of the picture.
        large, small: files of the type `content_type`.
    """

    sha256: str
    large: bytes
    small: bytes
    content_type: str


class ImageProblem(StrEnum):
    """Reasons for a refusal. Stable, because clients compare them."""

    IMAGE_UNREADABLE = "image_unreadable"
    IMAGES_AWAY = "images_away"
    BUSY = "busy"
    UNKNOWN_IMAGE = "unknown_image"


@dataclass(frozen=True, slots=True)
class ImageRefusal:
    """A refused picture and the reason."""

    problem: ImageProblem
    detail: str


def quarantine_key(upload_id: UUID) -> str:
    """The key of an upload that was not checked yet."""
    return f"{QUARANTINE}{upload_id}"


def image_key(prefix: ImagePrefix, sha256: str, size: Size) -> str:
    """The key of a published picture. Its name is a hash of its content, so the file never changes."""
    return f"{prefix}{sha256}/{size}"


def name_in(prefix: ImagePrefix, key: str) -> str:
    """The name of the picture with a key."""
    return key.removeprefix(prefix).partition("/")[0]


def picture_address(sha256: str) -> str:
    """The URL path of a member's picture, as `users.picture_url` has it."""
    return PICTURE_ADDRESS + sha256
