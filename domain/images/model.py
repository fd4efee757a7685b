"""Pictures of machines and members: where they are kept, what they are called there, and why one is not taken."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

QUARANTINE = "quarantine/"
"""What was uploaded and nobody has looked at; no picture is ever shown from here."""

PICTURE_ADDRESS = "/api/pictures/"
"""What the address of a member's picture begins with."""


class Shelf(StrEnum):
    """What a published picture is of; kept apart, because different people may see them."""

    MACHINES = "images/"
    MEMBERS = "pictures/"


class Size(StrEnum):
    """In which sizes a picture is published."""

    LARGE = "large"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What the store has under a key."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture made anew, in both sizes.

    Args:
        sha256: of `large`, hexadecimal; the picture's name.
        large, small: files of the type `content_type`.
    """

    sha256: str
    large: bytes
    small: bytes
    content_type: str


class ImageProblem(StrEnum):
    """Why a picture is not taken or not there. Stable: clients compare these."""

    IMAGE_UNREADABLE = "image_unreadable"
    IMAGES_AWAY = "images_away"
    BUSY = "busy"
    UNKNOWN_IMAGE = "unknown_image"


@dataclass(frozen=True, slots=True)
class ImageRefusal:
    """A picture that is not taken, and why."""

    problem: ImageProblem
    detail: str


def quarantine_key(upload_id: UUID) -> str:
    """Where an upload waits until somebody has looked at it."""
    return f"{QUARANTINE}{upload_id}"


def image_key(shelf: Shelf, sha256: str, size: Size) -> str:
    """Where a published picture is: its name says what is in it, so nothing there ever changes."""
    return f"{shelf}{sha256}/{size}"


def name_in(shelf: Shelf, key: str) -> str:
    """The name of the picture that a key of a shelf belongs to."""
    return key.removeprefix(shelf).partition("/")[0]


def picture_address(sha256: str) -> str:
    """What a member's row says of the picture: the address that shows it."""
    return PICTURE_ADDRESS + sha256
