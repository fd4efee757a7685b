"""Encodes server-sent events (event stream format, HTML section 9.2)."""

from enum import StrEnum

BEAT = b": beat\n\n"
"""A comment, which clients pass over: it shows both ends that the connection lives."""


class End(StrEnum):
    """Why a stream ends. Stable: clients compare these."""

    EXPIRED = "expired"  # the token; come back with a new one
    REVOKED = "revoked"  # the session or the device is known no more
    RIGHTS_CHANGED = "rights_changed"  # come back, and see what may be seen now
    GONE = "gone"  # the gym was deleted, or retired: then for members and devices only
    CLOSING = "closing"  # this replica stops; come back at once


def snapshot_frame(version: int, document: bytes) -> bytes:
    """A snapshot event.

    Args:
        version: increases with every snapshot.
        document: JSON without line breaks.
    """
    return b"id: %d\nevent: snapshot\ndata: %b\n\n" % (version, document)


def end_frame(reason: End) -> bytes:
    """The last event of a stream."""
    return b'event: end\ndata: {"reason":"%b"}\n\n' % reason.value.encode()


def retry_hint(milliseconds: int) -> bytes:
    """How long a client waits before it reconnects; sent before the first event."""
    return b"retry: %d\n" % milliseconds
