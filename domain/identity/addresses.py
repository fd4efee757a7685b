"""Addresses of mail: which of those that an identity provider names can be used."""

import re

_LONGEST, _LONGEST_LOCAL_PART = 254, 64  # RFC 5321, section 4.5.3.1, and its path of 256 with brackets
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322, section 3.2.3
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+([a-z]{{2,63}}|xn--[a-z0-9-]{{1,59}})")
_NOWHERE = frozenset({"invalid", "localhost"})  # RFC 6761: names that never lead to a mail server


def usable_address(text: str | None) -> str | None:
    """The address in lower case, or None: it is no address to which mail and receipts can be sent.

    A name of a federated account (`facebook_10158…`), a host without a domain (`mia@localhost`) and an address that
    needs more than ASCII, which the mail servers and the payment provider here do not take, are None.
    """
    address = (text or "").strip().lower()
    match = _ADDRESS.fullmatch(address)
    if match is None or len(address) > _LONGEST or len(match[1]) > _LONGEST_LOCAL_PART or match[2] in _NOWHERE:
        return None
    return address
