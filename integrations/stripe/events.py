"""Stripe events, as far as they are trusted: what they are about (https://docs.stripe.com/api/events/object)."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from domain.payments.ports import ProviderEvent

_Name = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,255}\Z")]  # limit of the database columns
_Second = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800)]  # until the year 9999


class _Object(msgspec.Struct, frozen=True):
    object: str | None = None
    id: _Name | None = None
    client_reference_id: Any = None
    metadata: dict[str, Any] | None = None
    payment_intent: str | dict[str, Any] | None = None


class _Data(msgspec.Struct, frozen=True):
    object: _Object


class _Event(msgspec.Struct, frozen=True):
    id: _Name
    type: _Name
    created: _Second
    data: _Data
    api_version: _Name | None = None


_decoder = msgspec.json.Decoder(_Event)


def read_event(payload: bytes) -> ProviderEvent:
    """Parse an event as it was sent.

    Raises:
        ValueError: it is not an event.
    """
    try:
        return _happened(_decoder.decode(payload))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"not an event ({type(error).__name__})") from error


def event_of(values: dict[str, Any]) -> ProviderEvent:
    """Convert an event of the SDK; raises as `read_event`."""
    try:
        return _happened(msgspec.convert(values, _Event))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"not an event ({type(error).__name__})") from error


def uuid_of(value: object) -> UUID | None:
    """Our own id that Stripe returns; None if it is not a UUID."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _happened(event: _Event) -> ProviderEvent:
    about = event.data.object
    is_session, is_intent = about.object == "checkout.session", about.object == "payment_intent"
    intent = about.payment_intent
    intent_id = intent.get("id") if isinstance(intent, dict) else intent
    return ProviderEvent(
        id=event.id,
        type=event.type,
        api_version=event.api_version,
        object_id=about.id,
        order_id=(uuid_of(about.client_reference_id) if is_session else None)
        or uuid_of((about.metadata or {}).get("order_id")),
        payment_intent_id=about.id if is_intent else msgspec.convert(intent_id, _Name | None),
        session_id=about.id if is_session else None,
        created_at=datetime.fromtimestamp(event.created, UTC),
    )
