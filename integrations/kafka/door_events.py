"""Decodes the events of the door from `gym-events`."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

import msgspec

from domain.door.events import DoorEvent


class _AnyEvent(msgspec.Struct, frozen=True):
    """The field by which events are told apart."""

    type: str


def _type_of(event: type) -> str:
    return str(next(field.default for field in fields(event) if field.name == "type"))


_type_decoder = msgspec.json.Decoder(_AnyEvent)
_decoders: Mapping[str, msgspec.json.Decoder[Any]] = {
    _type_of(event): msgspec.json.Decoder(event) for event in get_args(DoorEvent)
}


def decode_door_event(value: bytes) -> DoorEvent:
    """Decode a value of `gym-events`. Fields that an older version did not have are None.

    Raises:
        msgspec.DecodeError: not a valid event of a known type and version.
    """
    try:
        name = _type_decoder.decode(value).type
        decoder = _decoders.get(name)
        if decoder is None:
            raise msgspec.ValidationError(f"Unknown type of event {name[:64]!r}")
        event: DoorEvent = decoder.decode(value)
    except UnicodeDecodeError as error:  # msgspec does not convert this error inside a string
        raise msgspec.DecodeError(f"Not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("Nested too deeply") from error
    return event
