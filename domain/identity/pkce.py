"""PKCE: proof that the client that exchanges an authorization code is the one that requested it (RFC 7636)."""

import hashlib
from base64 import urlsafe_b64encode


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
