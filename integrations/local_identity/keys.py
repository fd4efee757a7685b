"""The local provider's signing keys and their JWKS.

One folder contains a PEM file per key and `jwks.json` with the public keys. The newest key signs.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from integrations.key_folder import KeyFolder
from integrations.settings import Settings

ALGORITHM = "RS256"
JWKS_FILE = "jwks.json"
_KEY_BITS = 2048


class NoLocalIdentityError(Exception):
    """The settings name another identity provider, or the signing key does not exist yet."""


def ensure_signing_key(key_dir: Path) -> str:
    """The id of the newest key. Creates the first key if there is none, and completes `jwks.json`."""
    folder = KeyFolder(key_dir)
    key_id = folder.ensure(_new_pem)
    with folder.locked():
        _publish(folder)
    return key_id


def rotate_signing_key(key_dir: Path, *, retire: bool = False) -> str:
    """Add a key that signs from now on.

    Args:
        key_dir: the folder of the keys.
        retire: delete the earlier keys, so that their tokens become invalid; otherwise these stay valid.

    Returns:
        The id of the new key.
    """
    folder = KeyFolder(key_dir)
    with folder.locked():
        earlier = folder.key_ids()
        key_id = folder.add(_new_pem())
        for each in earlier if retire else []:
            folder.remove(each)
        _publish(folder)
    return key_id


def signing_key(settings: Settings) -> tuple[str, RSAPrivateKey]:
    """The newest key and its id.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    key_dir = settings.identity.signing_key_dir
    if key_dir is None:
        raise NoLocalIdentityError("this installation has no local identity provider")
    folder = KeyFolder(key_dir)
    try:
        key_id = folder.key_ids()[-1]
        return key_id, _cached_key(folder.path, key_id)
    except (OSError, IndexError) as error:
        raise NoLocalIdentityError("the local identity provider has no signing key") from error


def _publish(folder: KeyFolder) -> None:
    keys = [_jwk(key_id, _private_key(folder.read(key_id))) for key_id in folder.key_ids()]
    temporary = folder.path / f".{JWKS_FILE}.new"
    temporary.write_bytes(msgspec.json.encode({"keys": keys}))
    temporary.rename(folder.path / JWKS_FILE)


def _jwk(key_id: str, key: RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {
        "kid": key_id,
        "kty": "RSA",
        "use": "sig",
        "alg": ALGORITHM,
        "n": _unsigned(numbers.n),
        "e": _unsigned(numbers.e),
    }


def _unsigned(number: int) -> str:
    """Base64urlUInt (RFC 7518 section 2)."""
    return urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def _new_pem() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@lru_cache(maxsize=8)
def _cached_key(key_dir: Path, key_id: str) -> RSAPrivateKey:
    # Reading a key takes longer than signing a hundred tokens. The key of an id never changes.
    return _private_key(KeyFolder(key_dir).read(key_id))


def _private_key(pem: bytes) -> RSAPrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key
