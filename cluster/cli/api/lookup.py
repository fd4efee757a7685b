"""Finds a gym, gate, device, machine, user, plan or invoice by what the user typed: an id, a name, an address.

An ambiguous name is an error that lists the candidates.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from cluster.cli.api.client import Api, Document
from cluster.cli.api.errors import NotFoundError, UsageError
from cluster.cli.output import printable
from domain.identity.email_addresses import normal_address_or_none
from domain.text import comparison_key

_CANDIDATES = 5
_LONGEST_SEARCH = 100

Describe = Callable[[Document], str]


def find_gym(api: Api, typed: str, *, retired: bool = False) -> Document:
    """The gym of an id, number or name. Active gyms are preferred.

    Args:
        retired: prefer retired gyms, because the command reopens one.

    Raises:
        NotFoundError: there is none.
        UsageError: several have this name.
    """
    return _find_by_name(api, "gym", typed, lambda gym: f"{gym['name']}, {gym['address']}", retired=retired)


def find_gate(api: Api, typed: str) -> Document:
    """The gate of an id or of `GYM/GATE`; raises as `find_gym`."""
    if _is_id(typed):
        return api.get(f"/gates/{_id(typed)}")
    gym, name = _gym_and_name(typed, "gate", "Front door")
    found = [gate for gate in api.all(f"/gyms/{find_gym(api, gym)['id']}/gates").items if _has_name(gate, name)]
    if not found:
        raise NotFoundError(f"there is no gate {typed}", f"see `fitmonitor gate list '{gym}'`")
    return _only("gate", typed, found, lambda gate: str(gate["name"]))


def find_device(api: Api, typed: str) -> tuple[str, str]:
    """Id and name of the device of an id or of `GYM/DEVICE`; raises as `find_gym`.

    The API has no call that reads one device, so an id is returned as the name, too.
    """
    if _is_id(typed):
        return _id(typed), _id(typed)
    gym, name = _gym_and_name(typed, "device", "Turnstile")
    found = [each for each in api.all(f"/gyms/{find_gym(api, gym)['id']}/devices").items if _has_name(each, name)]
    if not found:
        raise NotFoundError(f"there is no device {typed}", f"see `fitmonitor device list '{gym}'`")
    one = _only("device", typed, found, lambda each: f"{each['name']} at {each['gate_name']}")
    return one["id"], one["name"]


def find_machine(api: Api, typed: str, *, retired: bool = False) -> Document:
    """The machine of an id, or of `GYM/MACHINE` by name or number; `retired` and raises as `find_gym`."""
    if _is_id(typed):
        return api.get(f"/machines/{_id(typed)}")
    gym, name = _gym_and_name(typed, "machine", "Rower 1")
    machines = api.all(f"/gyms/{find_gym(api, gym)['id']}/machines", retired=True).items
    found = [machine for machine in machines if _has_name(machine, name)]
    preferred = [machine for machine in found if (machine["retired_at"] is not None) == retired]
    if not found:
        raise NotFoundError(f"there is no machine {typed}", f"see `fitmonitor machine list '{gym}' --retired`")
    return _only("machine", typed, preferred or found, lambda each: f"{each['name']}, number {each['number']}")


def find_user(api: Api, typed: str) -> Document:
    """The user of an id, an email address, or a whole name that is unique; raises as `find_gym`."""
    if _is_id(typed):
        return api.get(f"/users/{_id(typed)}")
    words = typed.strip()
    if not words:
        raise UsageError("the user is missing", "name an email address, a name or an id")
    similar = api.all("/users", search=words[:_LONGEST_SEARCH]).items
    address = normal_address_or_none(words)
    if "@" in words:
        found = [user for user in similar if address is not None and user["email"] == address]
    else:
        found = [user for user in similar if comparison_key(user["name"]) == comparison_key(words)]
    if found:
        return _only("user", words, found, lambda user: f"{user['name']}, {email_or_id(user)}")
    hint = f"did you mean {_listed(similar, email_or_id)}?" if similar else "see `fitmonitor user list`"
    raise NotFoundError(f"there is no user {words}", hint)


def email_or_id(user: Document) -> str:
    """The email address of a user, or the id of a user without one."""
    return printable(user["email"] or user["id"])


def find_plan(api: Api, typed: str, *, retired: bool = False) -> Document:
    """The plan of an id or a name; `retired` and raises as `find_gym`."""
    return _find_by_name(api, "plan", typed, lambda plan: f"{plan['name']}, {plan['days']} days", retired=retired)


def find_invoice(api: Api, typed: str, member: str) -> Document:
    """The invoice of an id, or of a number among the invoices of a member; raises as `find_gym`."""
    if _is_id(typed):
        return api.get(f"/invoices/{_id(typed)}")
    if not member:
        raise UsageError(f"{typed} is an invoice number, which is looked up for one member", "add --member MEMBER")
    user = find_user(api, member)
    found = [each for each in api.all(f"/members/{user['id']}/invoices").items if each["number"] == typed]
    if not found:
        raise NotFoundError(f"{email_or_id(user)} has no invoice {typed}", "see `fitmonitor invoice list MEMBER`")
    return found[0]


def parse_id(kind: str, typed: str, list_command: str) -> str:
    """An id, for things that have no name.

    Args:
        kind: as `order`.
        typed: what the user typed.
        list_command: the command that lists ids of this kind.

    Raises:
        UsageError: it is not an id.
    """
    if not _is_id(typed):
        raise UsageError(f"{typed} is not an id", f"use the {kind}'s id, as `{list_command}` prints it")
    return _id(typed)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _id(text: str) -> str:
    return str(UUID(text))


def _has_name(item: Document, typed: str) -> bool:
    name, number = comparison_key(str(item["name"])), item.get("number")
    words = comparison_key(typed)
    return words == name or (number is not None and words == str(number)) or words == item["id"]


def _gym_and_name(typed: str, kind: str, example: str) -> tuple[str, str]:
    gym, slash, name = typed.partition("/")
    if not (gym.strip() and slash and name.strip()):
        raise UsageError(f"{typed} does not name the gym of the {kind}", f"write it like 'Riverside/{example}'")
    return gym.strip(), name.strip()


def _find_by_name(api: Api, kind: str, typed: str, describe: Describe, *, retired: bool) -> Document:
    """The gym or plan of a name: first among retired ones or active ones, then among the others."""
    path = f"/{kind}s"
    if _is_id(typed):
        return api.get(f"{path}/{_id(typed)}")
    for which in (retired, not retired):
        found = [each for each in api.all(path, retired=which).items if _has_name(each, typed)]
        if found:
            return _only(kind, typed, found, describe)
    raise NotFoundError(f"there is no {kind} {typed}", f"see `fitmonitor {kind} list`, also with --retired")


def _only(kind: str, typed: str, found: Sequence[Document], describe: Describe) -> Document:
    if len(found) == 1:
        return found[0]
    candidates = _listed(found, lambda each: f"{each['id']} ({describe(each)})")
    raise UsageError(f"{len(found)} {kind}s have the name {typed}", f"use the id of one: {candidates}")


def _listed(found: Sequence[Document], describe: Describe) -> str:
    further = ", …" if len(found) > _CANDIDATES else ""
    return ", ".join(describe(each) for each in found[:_CANDIDATES]) + further
