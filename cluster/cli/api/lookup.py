"""Things as people name them: by id, by name, by address; never a guess where several are meant."""

from collections.abc import Callable, Sequence
from uuid import UUID

from cluster.cli.api.client import Api, Document
from cluster.cli.api.errors import NotFoundError, WrongUseError
from cluster.cli.output import shown
from domain.identity.addresses import normal_address_or_none
from domain.text import comparison_key

_CANDIDATES = 5
_LONGEST_SEARCH = 100

Told = Callable[[Document], str]


def the_gym(api: Api, wanted: str, *, retired: bool = False) -> Document:
    """The gym of an id, number or name; those in operation come first.

    Args:
        retired: retired ones come first, because one of them is to be reopened.

    Raises:
        NotFoundError: there is none; WrongUseError: several are called so.
    """
    return _by_name(api, "gym", wanted, lambda gym: f"{gym['name']}, {gym['address']}", retired=retired)


def the_gate(api: Api, wanted: str) -> Document:
    """The gate of an id, or of `gym/gate`; raises as `the_gym`."""
    if _is_id(wanted):
        return api.get(f"/gates/{_id(wanted)}")
    gym, name = _place(wanted, "gate", "Front door")
    found = [gate for gate in api.all(f"/gyms/{the_gym(api, gym)['id']}/gates").items if _called(gate, name)]
    if not found:
        raise NotFoundError(f"there is no gate {wanted}", f"see `fitmonitor gate list '{gym}'`")
    return _one("gate", wanted, found, lambda gate: str(gate["name"]))


def the_device(api: Api, wanted: str) -> tuple[str, str]:
    """Id and name of the device of an id, or of `gym/device`; raises as `the_gym`.

    By its id a device cannot be read; its name is then the id.
    """
    if _is_id(wanted):
        return _id(wanted), _id(wanted)
    gym, name = _place(wanted, "device", "Turnstile")
    found = [each for each in api.all(f"/gyms/{the_gym(api, gym)['id']}/devices").items if _called(each, name)]
    if not found:
        raise NotFoundError(f"there is no device {wanted}", f"see `fitmonitor device list '{gym}'`")
    one = _one("device", wanted, found, lambda each: f"{each['name']} at {each['gate_name']}")
    return one["id"], one["name"]


def the_machine(api: Api, wanted: str, *, retired: bool = False) -> Document:
    """The machine of an id, or of `gym/machine`, by name or number; `retired` and what is raised as for `the_gym`."""
    if _is_id(wanted):
        return api.get(f"/machines/{_id(wanted)}")
    gym, name = _place(wanted, "machine", "Rower 1")
    all_of_it = api.all(f"/gyms/{the_gym(api, gym)['id']}/machines", retired=True).items
    called = [machine for machine in all_of_it if _called(machine, name)]
    first = [machine for machine in called if (machine["retired_at"] is not None) == retired]
    if not called:
        raise NotFoundError(f"there is no machine {wanted}", f"see `fitmonitor machine list '{gym}' --retired`")
    return _one("machine", wanted, first or called, lambda machine: f"{machine['name']}, number {machine['number']}")


def the_user(api: Api, wanted: str) -> Document:
    """The user of an id, an address of mail, or a whole name that nobody else has; raises as `the_gym`."""
    if _is_id(wanted):
        return api.get(f"/users/{_id(wanted)}")
    words = wanted.strip()
    if not words:
        raise WrongUseError("no user is named", "by mail address, name or id")
    near = api.all("/users", search=words[:_LONGEST_SEARCH]).items
    address = normal_address_or_none(words)
    if "@" in words:
        found = [user for user in near if address is not None and user["email"] == address]
    else:
        found = [user for user in near if comparison_key(user["name"]) == comparison_key(words)]
    if found:
        return _one("user", words, found, lambda user: f"{user['name']}, {address_of(user)}")
    mend = f"did you mean {_listed(near, address_of)}?" if near else "see `fitmonitor user list`"
    raise NotFoundError(f"there is no user {words}", mend)


def address_of(user: Document) -> str:
    """What a message calls a user by: the address, or the id of one who has none."""
    return shown(user["email"] or user["id"])


def the_plan(api: Api, wanted: str, *, retired: bool = False) -> Document:
    """The plan of an id or a name; `retired` and what is raised as for `the_gym`."""
    return _by_name(api, "plan", wanted, lambda plan: f"{plan['name']}, {plan['days']} days", retired=retired)


def the_invoice(api: Api, wanted: str, member: str) -> Document:
    """The invoice of an id, or of a number among those of a member; raises as `the_gym`."""
    if _is_id(wanted):
        return api.get(f"/invoices/{_id(wanted)}")
    if not member:
        raise WrongUseError(f"{wanted} is a number, and the invoices of one member are looked up", "add --member")
    user = the_user(api, member)
    found = [each for each in api.all(f"/members/{user['id']}/invoices").items if each["number"] == wanted]
    if not found:
        raise NotFoundError(f"{address_of(user)} has no invoice {wanted}", "see `fitmonitor invoice list MEMBER`")
    return found[0]


def id_of(kind: str, wanted: str, shown_by: str) -> str:
    """An id that is all by which something can be named.

    Args:
        shown_by: the command that shows ids of its kind.

    Raises:
        WrongUseError: it is none.
    """
    if not _is_id(wanted):
        raise WrongUseError(f"{wanted} is not the id of one {kind}", f"see `{shown_by}`")
    return _id(wanted)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _id(text: str) -> str:
    return str(UUID(text))


def _called(thing: Document, wanted: str) -> bool:
    name, number = comparison_key(str(thing["name"])), thing.get("number")
    words = comparison_key(wanted)
    return words == name or (number is not None and words == str(number)) or words == thing["id"]


def _place(wanted: str, kind: str, example: str) -> tuple[str, str]:
    gym, slash, name = wanted.partition("/")
    if not (gym.strip() and slash and name.strip()):
        raise WrongUseError(
            f"{wanted} does not say of which gym the {kind} is", f"write it as in 'Riverside/{example}'"
        )
    return gym.strip(), name.strip()


def _by_name(api: Api, kind: str, wanted: str, told: Told, *, retired: bool) -> Document:
    """One of those whose list is all that is needed to find it, `retired` ones or those in operation first."""
    path = f"/{kind}s"
    if _is_id(wanted):
        return api.get(f"{path}/{_id(wanted)}")
    for which in (retired, not retired):
        found = [each for each in api.all(path, retired=which).items if _called(each, wanted)]
        if found:
            return _one(kind, wanted, found, told)
    raise NotFoundError(f"there is no {kind} {wanted}", f"see `fitmonitor {kind} list`, also with --retired")


def _one(kind: str, wanted: str, found: Sequence[Document], told: Told) -> Document:
    if len(found) == 1:
        return found[0]
    candidates = _listed(found, lambda each: f"{each['id']} ({told(each)})")
    raise WrongUseError(f"{len(found)} {kind}s are called {wanted}", f"name one by its id: {candidates}")


def _listed(found: Sequence[Document], told: Told) -> str:
    further = ", …" if len(found) > _CANDIDATES else ""
    return ", ".join(told(each) for each in found[:_CANDIDATES]) + further
