"""Cookies of known devices, after OWASP's "Slow Down Online Guessing Attacks with Device Cookies".

A cookie proves that this device has signed in to one account before. It does not sign anybody in. It is signed by HMAC
with a key derived from the newest pass key, which every replica has. A cookie of a retired key is unknown.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integrations.key_folder import KeyFolder

# Purpose of the derived key: it signs device cookies only, and passes are not signed with it.
_KEY_PURPOSE = b"fitmonitor device cookie 1"
_NONCE_BYTES, _ID_BYTES, _TIME_BYTES = 16, 16, 8
_BYTES = _NONCE_BYTES + _ID_BYTES + _TIME_BYTES
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that has signed in before.

    Args:
        id: of the cookie; each sign-in creates a new one.
        user_id: the user who signed in.
        since: start of that sign-in.
    """

    id: str
    user_id: UUID
    since: datetime


class DeviceCookies:
    """Issues and reads device cookies. Thread-safe.

    Args:
        key_dir: folder of the pass keys; None: no device is known.
        lifetime: of a cookie.
    """

    def __init__(self, key_dir: Path | None, lifetime: timedelta) -> None:
        self._folder = None if key_dir is None else KeyFolder(key_dir)
        self._lifetime = lifetime
        self._keys: dict[str, bytes] = {}  # the key of an id never changes

    def issue(self, account: str, user_id: UUID, since: datetime) -> str:
        """Issue a cookie for a device after a successful sign-in; empty if there is no key.

        Args:
            account: the account's mail address.
            user_id: the account's user.
            since: start of the sign-in. A password change after it invalidates the cookie.
        """
        key_ids = self._key_ids()
        key = self._key(key_ids[-1]) if key_ids else None
        if key is None:
            return ""
        micros = (since - _EPOCH) // _MICROSECOND
        payload = secrets.token_bytes(_NONCE_BYTES) + user_id.bytes + micros.to_bytes(_TIME_BYTES, "big")
        signed = f"{key_ids[-1]}.{_encoded(payload)}"
        return f"{signed}.{_signature(key, signed, account)}"

    def read(self, cookie: str, account: str, now: datetime) -> KnownDevice | None:
        """The device of a cookie; None if it is invalid, expired, or belongs to another account."""
        signed, _, signature = cookie.rpartition(".")
        key_id, _, payload = signed.partition(".")
        if not payload or key_id not in self._key_ids():
            return None
        key = self._key(key_id)
        if key is None or not hmac.compare_digest(_signature(key, signed, account).encode(), signature.encode()):
            return None
        raw = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        if len(raw) != _BYTES:  # another version of cookies
            return None
        nonce, user_id, micros = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:-_TIME_BYTES], raw[-_TIME_BYTES:]
        since = _EPOCH + int.from_bytes(micros, "big") * _MICROSECOND
        return KnownDevice(nonce.hex(), UUID(bytes=user_id), since) if now - since < self._lifetime else None

    def _key_ids(self) -> list[str]:
        try:
            return self._folder.key_ids() if self._folder else []
        except OSError as error:
            # All devices count as unknown for now. This alone locks nobody out.
            _log.warning("device_keys_unreadable", error=type(error).__name__)
            return []

    def _key(self, key_id: str) -> bytes | None:
        key = self._keys.get(key_id)
        if key is None and self._folder is not None:
            try:
                private = load_pem_private_key(self._folder.read(key_id), password=None)
            except (OSError, ValueError, TypeError) as error:
                _log.warning("device_keys_unreadable", error=type(error).__name__)
                return None
            if isinstance(private, Ed25519PrivateKey):
                key = HKDF(SHA256(), 32, salt=None, info=_KEY_PURPOSE).derive(private.private_bytes_raw())
                self._keys[key_id] = key
        return key


def _signature(key: bytes, signed: str, account: str) -> str:
    # The account is signed but not part of the cookie, so that the cookie does not reveal the address.
    return _encoded(hmac.digest(key, f"{signed}\0{account}".encode("utf-8", "surrogatepass"), "sha256"))


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
