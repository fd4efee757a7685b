"""Lists: the newest first, a page at a time (docs.stripe.com/api/pagination)."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.local.stripe_sandbox.errors import InvalidParameterError, MissingResourceError
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.store import Body, Store

_MOST, _USUAL = 100, 10
_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TYPE = re.compile(r"[a-z_.]+(\.\*)?")
_MOST_TYPES = 20
# A filter names one of these columns; what it names must be there.
_NAMED = {"payment_intent": "payment_intent", "charge": "charge"}


@dataclass(slots=True)
class _Where:
    terms: list[str]
    values: list[Any] = field(default_factory=list)

    def add(self, term: str, *values: object) -> None:
        self.terms.append(term)
        self.values.extend(values)


def list_objects(store: Store, kind: str, url: str, sent: Parameters, filters: Sequence[str]) -> Body:
    """A page of a kind's objects.

    Args:
        store: where they are.
        kind: Stripe's `object`.
        url: of the list, which it tells itself.
        sent: the call's parameters; takes them all.
        filters: which of `payment_intent`, `charge`, `status`, `types` this list has, beside `created`.

    Raises:
        InvalidParameterError: a parameter is wrong or unknown.
        MissingResourceError: a cursor or a filter names what is not there.
    """
    limit = sent.integer("limit", 1, _MOST) or _USUAL
    after, before = sent.text("starting_after"), sent.text("ending_before")
    if after is not None and before is not None:
        raise InvalidParameterError("Received both starting_after and ending_before parameters.", "ending_before")
    where = _Where(["object = ?"], [kind])
    _of_created(where, sent)
    for name in filters:
        if name == "types":
            _of_types(where, sent)
        elif name == "status":
            status = sent.choice("status", {"open", "complete", "expired"})
            if status is not None:
                where.add("state = ?", status)
        else:
            _of_named(store, where, sent, name)
    sent.done()
    order = "ASC" if before is not None else "DESC"
    cursor = after if after is not None else before
    if cursor is not None:
        sign = "<" if after is not None else ">"
        param = "starting_after" if after is not None else "ending_before"
        where.add(f"(created, seq) {sign} (?, ?)", *_place_of(store, kind, cursor, param))
    sql = f"SELECT body FROM objects WHERE {' AND '.join(where.terms)}"  # noqa: S608 - terms are written here
    rows = store.run(f"{sql} ORDER BY created {order}, seq {order} LIMIT ?", [*where.values, limit + 1])
    data = [json.loads(row[0]) for row in rows[:limit]]
    if before is not None:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(rows) > limit, "url": url}


def _of_created(where: _Where, sent: Parameters) -> None:
    if sent.is_text("created"):
        where.add("created = ?", sent.integer("created", 0))
        return
    bounds = sent.level("created")
    for name, sign in _BOUNDS.items():
        bound = bounds.integer(name, 0)
        if bound is not None:
            where.add(f"created {sign} ?", bound)
    bounds.done()


def _of_types(where: _Where, sent: Parameters) -> None:
    kind, kinds = sent.text("type"), sent.texts("types")
    if kind is not None and kinds:
        raise InvalidParameterError("You may only specify one of these parameters: type, types.", "type")
    wanted = [kind] if kind is not None else list(kinds)
    if not wanted:
        return
    if len(wanted) > _MOST_TYPES or not all(_TYPE.fullmatch(one) for one in wanted):
        raise InvalidParameterError(f"Up to {_MOST_TYPES} event types, such as charge.refunded or charge.*", "types")
    exact = [one for one in wanted if not one.endswith("*")]
    wild = [one for one in wanted if one.endswith("*")]
    terms = ["state GLOB ?"] * len(wild)
    if exact:
        terms.append(f"state IN ({', '.join('?' * len(exact))})")
    where.add(f"({' OR '.join(terms)})", *wild, *exact)


def _of_named(store: Store, where: _Where, sent: Parameters, name: str) -> None:
    named = sent.text(name)
    if named is None:
        return
    if store.find_text(named, name) is None:
        raise MissingResourceError(name, named, name)
    where.add(f"{_NAMED[name]} = ?", named)


def _place_of(store: Store, kind: str, object_id: str, param: str) -> tuple[int, int]:
    rows = store.run("SELECT created, seq FROM objects WHERE id = ? AND object = ?", (object_id, kind))
    if not rows:
        raise MissingResourceError(kind, object_id, param, status=400)
    return int(rows[0][0]), int(rows[0][1])
