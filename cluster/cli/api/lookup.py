"""Finds a gym, gate, device, machine, user, plan or invoice by what the user typed: an id, a name, an address.

An ambiguous name is an error that lists the candidates.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from cluster.cli.api.client import Api, Document
from cluster.cli.api.errors import NotFoundError, UsageError
from cluster.cli.output import printable
from domain.identity.addresses import normal_address_or_none
from domain.text import comparison_key

_CANDIDATES = 5
_LONGEST_SEARCH = 100

Describe = Callable[[Document], str]


def find_gym(api: Api, wanted: str, *, retired: bool = False) -> Document:
    """The gym of an id, number or name. Active gyms are preferred.

    Args:
        retired: prefer retired gyms, because the command reopens one.

    Raises:
        NotFoundError: there is none.
        UsageError: several have this name.
    """
    return _find_by_name(api, "gym", wanted, lambda gym: f"{gym['name']}, {gym['address']}", retired=retired)


def find_gate(api: Api, wanted: str) -> Document:
    """The gate of an id or of `GYM/GATE`; raises as `find_gym`."""
    if _is_id(wanted):
        return api.get(f"/gates/{_id(wanted)}")
    gym, name = _gym_and_name(wanted, "gate", "Front door")
    found = [gate for gate in api.all(f"/gyms/{find_gym(api, gym)['id']}/gates").items if _has_name(gate, name)]
    if not found:
        raise NotFoundError(f"there is no gate {wanted}", f"see `fitmonitor gate list '{gym}'`")
    return _only("gate", wanted, found, lambda gate: str(gate["name"]))


def find_device(api: Api, wanted: str) -> tuple[str, str]:
    """Id and name of the device of an id or of `GYM/DEVICE`; raises as `find_gym`.

    The API has no call that reads one device, so an id is returned as the name, too.
    """
    if _is_id(wanted):
        return _id(wanted), _id(wanted)
    gym, name = _gym_and_name(wanted, "device", "Turnstile")
    found = [each for each in api.all(f"/gyms/{find_gym(api, gym)['id']}/devices").items if _has_name(each, name)]
    if not found:
        raise NotFoundError(f"there is no device {wanted}", f"see `fitmonitor device list '{gym}'`")
    one = _only("device", wanted, found, lambda each: f"{each['name']} at {each['gate_name']}")
    return one["id"], one["name"]


def find_machine(api: Api, wanted: str, *, retired: bool = False) -> Document:
    """The machine of an id, or of `GYM/MACHINE` by name or number; `retired` and raises as `find_gym`."""
    if _is_id(wanted):
        return api.get(f"/machines/{_id(wanted)}")
    gym, name = _gym_and_name(wanted, "machine", "Rower 1")
    machines = api.all(f"/gyms/{find_gym(api, gym)['id']}/machines", retired=True).items
    found = [machine for machine in machines if _has_name(machine, name)]
    preferred = [machine for machine in found if (machine["retired_at"] is not None) == retired]
    if not found:
        raise NotFoundError(f"there is no machine {wanted}", f"see `fitmonitor machine list '{gym}' --retired`")
    return _only("machine", wanted, preferred or found, lambda each: f"{each['name']}, number {each['number']}")


def find_user(api: Api, wanted: str) -> Document:
    """The user of an id, an email address, or a whole name that is unique; raises as `find_gym`."""
    if _is_id(wanted):
        return api.get(f"/users/{_id(wanted)}")
    words = wanted.strip()
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


def find_plan(api: Api, wanted: str, *, retired: bool = False) -> Document:
    """The plan of an id or a name; `retired` and raises as `find_gym`."""
    return _find_by_name(api, "plan", wanted, lambda plan: f"{plan['name']}, {plan['days']} days", retired=retired)


def find_invoice(api: Api, wanted: str, member: str) -> Document:
    """The invoice of an id, or of a number among the invoices of a member; raises as `find_gym`."""
    if _is_id(wanted):
        return api.get(f"/invoices/{_id(wanted)}")
    if not member:
        raise UsageError(f"{wanted} is an invoice number, which is looked up for one member", "add --member MEMBER")
    user = find_user(api, member)
    found = [each for each in api.all(f"/members/{user['id']}/invoices").items if each["number"] == wanted]
    if not found:
        raise NotFoundError(f"{email_or_id(user)} has no invoice {wanted}", "see `fitmonitor invoice list MEMBER`")
    return found[0]


def parse_id(kind: str, wanted: str, list_command: str) -> str:
    """An id, for things that have no name.

    Args:
        kind: as `order`.
        wanted: what the user typed.
        list_command: the command that lists ids of this kind.

    Raises:
        UsageError: it is not an id.
    """
    if not _is_id(wanted):
        raise UsageError(f"{wanted} is not an id", f"use the {kind}'s id, as `{list_command}` prints it")
    return _id(wanted)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _id(text: str) -> str:
    return str(UUID(text))


def _has_name(item: Document, wanted: str) -> bool:
    name, number = comparison_key(str(item["name"])), item.get("number")
    words = comparison_key(wanted)
    return words == name or (number is not None and words == str(number)) or words == item["id"]


def _gym_and_name(wanted: str, kind: str, example: str) -> tuple[str, str]:
    gym, slash, name = wanted.partition("/")
    if not (gym.strip() and slash and name.strip()):
        raise UsageError(f"{wanted} does not name the gym of the {kind}", f"write it like 'Riverside/{example}'")
    return gym.strip(), name.strip()


def _find_by_name(api: Api, kind: str, wanted: str, describe: Describe, *, retired: bool) -> Document:
    """The gym or plan of a name: first among retired ones or active ones, then among the others."""
    path = f"/{kind}s"
    if _is_id(wanted):
        return api.get(f"{path}/{_id(wanted)}")
    for which in (retired, not retired):
        found = [each for each in api.all(path, retired=which).items if _has_name(each, wanted)]
        if found:
            return _only(kind, wanted, found, describe)
    raise NotFoundError(f"there is no {kind} {wanted}", f"see `fitmonitor {kind} list`, also with --retired")


def _only(kind: str, wanted: str, found: Sequence[Document], describe: Describe) -> Document:
    if len(found) == 1:
        return found[0]
    candidates = _listed(found, lambda each: f"{each['id']} ({describe(each)})")
    raise UsageError(f"{len(found)} {kind}s have the name {wanted}", f"use the id of one: {candidates}")


def _listed(found: Sequence[Document], describe: Describe) -> str:
    further = ", …" if len(found) > _CANDIDATES else ""
    return ", ".join(describe(each) for each in found[:_CANDIDATES]) + further
