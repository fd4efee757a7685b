"""Addresses of mail: the one form in which they are kept and compared, and which of them mail can reach."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from uuid import UUID

import idna

from domain.text import is_unseen

LONGEST = 254  # octets: RFC 5321, section 4.5.3.1.3, whose path of 256 has brackets
_LONGEST_LOCAL_PART = 64  # octets: RFC 5321, section 4.5.3.1.1
_LONGEST_DOMAIN = 253
_LONGEST_TYPED = 4 * LONGEST  # characters; no longer text becomes an address, and this one is quick to look at
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322, section 3.2.3
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_USABLE = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+([a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")
_PLAIN_LABEL = re.compile(_LABEL)
_NOT_IN_ADDRESSES = frozenset('@<>,;:"\\()[]')  # what quoted local parts, literals and lists are written with
_NOWHERE = frozenset({"invalid", "localhost"})  # RFC 6761: names that never lead to a mail server
_NO_ADDRESS = "must be a mail address such as mia@example.org"


def normal_address(text: str) -> str:
    """An address as it is kept and compared, everywhere: two texts are the same address where this gives the same.

    White space around it is dropped. The part before the @ is in NFC and lower case; it is not case-folded, for `ß` and
    `ss` are different mailboxes. The domain is written in ASCII (IDNA 2008 with the mapping of UTS 46).

    Raises:
        ValueError: it is no address: it has characters that cannot be seen, white space or signs within, a domain
            that cannot be, or is too long. The message does not repeat it.
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
    # Lower case may be longer (`İ`), and may compose with what follows.
    local_part = unicodedata.normalize("NFC", local_part.lower())
    domain = _in_ascii(domain)
    if len(local_part.encode()) > _LONGEST_LOCAL_PART:
        raise ValueError(f"must have at most {_LONGEST_LOCAL_PART} octets before the @")
    if len(f"{local_part}@{domain}".encode()) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} octets")
    return f"{local_part}@{domain}"


def normal_address_or_none(text: str | None) -> str | None:
    """As `normal_address`; None where it is none."""
    try:
        return normal_address(text or "")
    except ValueError:
        return None


def account_name(text: str) -> str:
    """By what an account is looked for and counted: its normal address, or what was typed where that is none."""
    return normal_address_or_none(text) or text.strip().lower()


def usable_address(text: str | None) -> str | None:
    """The normal form of an address, or None: it is none to which mail and receipts can be sent.

    A name of a federated account (`facebook_10158…`), a host without a domain (`mia@localhost`) and an address that
    needs more than ASCII before the @, which the mail servers and the payment provider here do not take, are None.
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
        raise ValueError(_NO_ADDRESS) from None  # the library's words hold the domain


def _label(label: str) -> str:
    """One label. Plain ones may have two hyphens anywhere; what begins with `xn--` has to be what IDNA writes."""
    if label.isascii() and not label.startswith("xn--"):
        if _PLAIN_LABEL.fullmatch(label) is None:
            raise ValueError(_NO_ADDRESS)
        return label
    try:
        return idna.alabel(label).decode()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(_NO_ADDRESS) from None  # the library's words hold the domain


def repaired_address(text: str | None) -> str | None:
    """The normal form of an address that was kept before there was one, without what cannot be seen; None: no address.

    For what is kept only. Whoever types an address is told of such characters instead, and types it again.
    """
    return normal_address_or_none("".join(letter for letter in text or "" if not is_unseen(letter)))


class CollidingAddressesError(Exception):
    """Accounts would have one address between them. The message names them by their ids, and says what can be done.

    Args:
        accounts: the ids of each such group.
    """

    def __init__(self, accounts: Collection[Collection[UUID]]) -> None:
        groups = "; ".join(", ".join(map(str, sorted(group))) for group in accounts)
        super().__init__(
            f"{len(accounts)} mail addresses are kept of more than one account, in forms that are the same address: "
            f"{groups}. Nothing was changed. Choose the account of each that keeps the address, and run "
            "`fitmonitor migrate --release-address ID` with the id of each other one: it keeps its history, has no "
            "address any more, and staff can look after its owner."
        )
        self.accounts = accounts

    def __reduce__(self) -> tuple[type["CollidingAddressesError"], tuple[Collection[Collection[UUID]]]]:
        """By what it was made of: it crosses processes."""
        return type(self), (self.accounts,)


def refuse_collisions(addresses: Iterable[tuple[UUID, str]]) -> None:
    """Refuse accounts of which several have the same address.

    Raises:
        CollidingAddressesError: there are such.
    """
    owners: dict[str, list[UUID]] = {}
    for account, address in addresses:
        owners.setdefault(address, []).append(account)
    shared = [sorted(accounts) for accounts in owners.values() if len(accounts) > 1]
    if shared:
        raise CollidingAddressesError(sorted(shared))
