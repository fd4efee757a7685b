"""Answers that are kept for a repetition, readable only by whoever repeats: sealed with what the asker alone holds."""

import secrets
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class CannotBeOpenedError(Exception):
    """It was sealed with something else, or is damaged."""


def seal(plain: bytes, own: str, purpose: str) -> str:
    """Something sealed.

    Args:
        plain: what nobody else is to read.
        own: the asker's own, long enough that nobody guesses it.
        purpose: what it was answered to; the same secret opens nothing else.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return b64encode(nonce + _cipher(own, purpose).encrypt(nonce, plain, None)).decode()


def unseal(sealed: str, own: str, purpose: str) -> bytes:
    """What was sealed.

    Raises:
        CannotBeOpenedError: see there.
    """
    try:
        kept = b64decode(sealed)
        return _cipher(own, purpose).decrypt(kept[:_NONCE_BYTES], kept[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise CannotBeOpenedError from error


def _cipher(own: str, purpose: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(own.encode()))
