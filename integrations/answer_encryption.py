"""Encrypts stored answers with a secret that only the repeating client has."""

import secrets
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class UnsealError(Exception):
    """The data was sealed with another secret, or is damaged."""


def seal(plain: bytes, secret: str, purpose: str) -> str:
    """Encrypt data.

    Args:
        plain: the data.
        secret: the client's secret; must not be guessable.
        purpose: binds the data to a context; the same secret does not open data of another purpose.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return b64encode(nonce + _cipher(secret, purpose).encrypt(nonce, plain, None)).decode()


def unseal(sealed: str, secret: str, purpose: str) -> bytes:
    """Decrypt data.

    Raises:
        UnsealError: another secret or purpose, or damaged data.
    """
    try:
        raw = b64decode(sealed)
        return _cipher(secret, purpose).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise UnsealError from error


def _cipher(secret: str, purpose: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret.encode()))
