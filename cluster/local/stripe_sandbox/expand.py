"""Expansion: ids in an answer that are replaced by what they name (docs.stripe.com/expand)."""

from collections.abc import Sequence

from cluster.local.stripe_sandbox.errors import InvalidParameterError
from cluster.local.stripe_sandbox.sessions import SESSION, line_items_of
from cluster.local.stripe_sandbox.store import Body, Store

_DEEPEST = 4
_NAMES = {
    SESSION: frozenset({"payment_intent", "line_items"}),
    "payment_intent": frozenset({"latest_charge"}),
    "charge": frozenset({"payment_intent"}),
    "refund": frozenset({"charge", "payment_intent"}),
    "dispute": frozenset({"charge", "payment_intent"}),
    "list": frozenset({"data"}),
}


def expand(store: Store, body: Body, names: Sequence[str]) -> Body:
    """Replace ids by what they name.

    Args:
        store: where that is.
        body: the answer; is changed.
        names: as they were sent: `payment_intent.latest_charge`.

    Raises:
        InvalidParameterError: there is nothing to expand under a name.
    """
    for name in names:
        path = name.split(".")
        if len(path) > _DEEPEST:
            raise InvalidParameterError(f"You cannot expand more than {_DEEPEST} levels of a property.", "expand")
        _expand(store, body, path, name)
    return body


def _expand(store: Store, body: Body, path: Sequence[str], name: str) -> None:
    first, rest = path[0], path[1:]
    if first not in _NAMES.get(body["object"], ()):
        raise InvalidParameterError(f"This property cannot be expanded ({name}).", "expand")
    if first == "line_items":
        kept = store.find(body["id"], SESSION)
        if kept is not None:
            body[first] = line_items_of(kept)
        return
    found = body[first]
    if isinstance(found, str):
        found = body[first] = store.find_any(found)
    if not rest:
        return
    for below in found if isinstance(found, list) else [found]:
        if below is not None:
            _expand(store, below, rest, name)
