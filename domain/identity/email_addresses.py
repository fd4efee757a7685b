"""Mail addresses: their normal form, in which they are stored and compared, and which of them can receive mail."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from uuid import UUID

import idna

from domain.text import is_unseen

LONGEST = 254  # octets: RFC 5321, section 4.5.3.1.3, whose path of 256 has brackets
_LONGEST_LOCAL_PART = 64  # octets: RFC 5321, section 4.5.3.1.1
_LONGEST_DOMAIN = 253
_LONGEST_TYPED = 4 * LONGEST  # characters; no longer text can be an address
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322, section 3.2.3
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_USABLE = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+([a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")
_PLAIN_LABEL = re.compile(_LABEL)
_NOT_IN_ADDRESSES = frozenset('@<>,;:"\\()[]')  # characters of quoted local parts, literals and lists
_NOWHERE = frozenset({"invalid", "localhost"})  # RFC 6761: names without mail servers
_NO_ADDRESS = "must be a mail address such as mia@example.org"


def normal_address(text: str) -> str:
    """The normal form of an address. Two texts are the same address if their normal forms are equal.

    Surrounding white space is removed. The part before the @ is in NFC and lower case, but not case-folded, because `ß`
    and `ss` are different mailboxes. The domain is in ASCII (IDNA 2008 with the mapping of UTS 46).

    Raises:
        ValueError: the text is not an address: it has invisible characters, white space or special characters, an
            impossible domain, or is too long. The message does not contain the text.
    """
    trimmed = text.strip()
    if len(trimmed) > _LONGEST_TYPED:
        raise ValueError(f"must have at most {LONGEST} octets")
    local_part, at, domain = unicodedata.normalize("NFC", trimmed).rpartition("@")
    if not at or not local_part or not domain:
        raise ValueError(_NO_ADDRESS)
    for letter in local_part + domain:
        if is_unseen(letter):
            raise ValueError(f"must not contain the character U+{ord(letter):04X}")
        if letter in _NOT_IN_ADDRESSES:
            raise ValueError(f"must not contain {letter}")
    # Lower case may be longer (`İ`), and may combine with the next character.
    local_part = unicodedata.normalize("NFC", local_part.lower())
    domain = _in_ascii(domain)
    if len(local_part.encode()) > _LONGEST_LOCAL_PART:
        raise ValueError(f"must have at most {_LONGEST_LOCAL_PART} octets before the @")
    if len(f"{local_part}@{domain}".encode()) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} octets")
    return f"{local_part}@{domain}"


def normal_address_or_none(text: str | None) -> str | None:
    """The normal form of an address; None if the text is not an address."""
    try:
        return normal_address(text or "")
    except ValueError:
        return None


def account_name(text: str) -> str:
    """The name to look up an account by: the normal address, or the typed text if that is not an address."""
    return normal_address_or_none(text) or text.strip().lower()


def usable_address(text: str | None) -> str | None:
    """The normal form of an address; None if mail and receipts cannot be sent to it.

    Not usable are names of federated accounts (`facebook_10158…`), hosts without a domain (`mia@localhost`), and
    addresses with non-ASCII characters before the @, which the mail servers and the payment provider refuse.
    """
    address = normal_address_or_none(text)
    match = _USABLE.fullmatch(address) if address is not None else None
    return None if match is None or match[1] in _NOWHERE else address


def _in_ascii(domain: str) -> str:
    labels = domain.split(".") if domain.isascii() else _mapped(domain).split(".")
    written = ".".join(_label(label.lower()) for label in labels)
    if len(written) > _LONGEST_DOMAIN:
        raise ValueError(f"must have at most {_LONGEST_DOMAIN} octets after the @")
    return written


def _mapped(domain: str) -> str:
    try:
        return idna.uts46_remap(domain, std3_rules=True, transitional=False)
    except (idna.IDNAError, UnicodeError):
        raise ValueError(_NO_ADDRESS) from None  # the library's message contains the domain


def _label(label: str) -> str:
    """One label. An ASCII label may have two hyphens anywhere; one that begins with `xn--` must be valid IDNA."""
    if label.isascii() and not label.startswith("xn--"):
        if _PLAIN_LABEL.fullmatch(label) is None:
            raise ValueError(_NO_ADDRESS)
        return label
    try:
        return idna.alabel(label).decode()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(_NO_ADDRESS) from None  # the library's message contains the domain


def repaired_address(text: str | None) -> str | None:
    """The normal form of a stored address from earlier versions, without invisible characters; None: not an address.

    Only for stored addresses. In a typed address such characters are an error.
    """
    return normal_address_or_none("".join(letter for letter in text or "" if not is_unseen(letter)))


class CollidingAddressesError(Exception):
    """Several accounts would have the same address. The message names their ids and how to resolve it.

    Args:
        accounts: the ids of each such group.
    """

    def __init__(self, accounts: Collection[Collection[UUID]]) -> None:
        groups = "; ".join(", ".join(map(str, sorted(group))) for group in accounts)
        super().__init__(
            f"{len(accounts)} mail addresses belong to more than one account, in forms that are the same address: "
            f"{groups}. Nothing was changed. Choose the account of each that keeps the address, and run "
            "`fitmonitor migrate --release-address ID` with the id of each other account. It keeps its history and "
            "loses its address; staff can contact its owner."
        )
        self.accounts = accounts

    def __reduce__(self) -> tuple[type["CollidingAddressesError"], tuple[Collection[Collection[UUID]]]]:
        """Pickle it by its arguments, so that it crosses processes."""
        return type(self), (self.accounts,)


def refuse_collisions(addresses: Iterable[tuple[UUID, str]]) -> None:
    """Check that no two accounts have the same address.

    Raises:
        CollidingAddressesError: some have.
    """
    owners: dict[str, list[UUID]] = {}
    for account, address in addresses:
        owners.setdefault(address, []).append(account)
    shared = [sorted(accounts) for accounts in owners.values() if len(accounts) > 1]
    if shared:
        raise CollidingAddressesError(sorted(shared))
