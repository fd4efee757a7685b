"""Signs and verifies passes: an Ed25519 JWT with minimal claims, about 190 characters.

Each key is a PEM file. The newest key signs, all existing keys verify. An offline door needs public keys only, which a
shared secret would not allow.
"""

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt import PyJWS
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from domain import passes
from domain.clock import Clock, system_clock
from domain.door.model import PassReading, PassStatus
from integrations.key_folder import KeyFolder, created_at

ALGORITHM = "EdDSA"
MAX_CODE_LENGTH = 256
_CHECK_INTERVAL_S = 1.0
_CACHE_SIZE = 4096

_VerifiedPass = tuple[UUID, datetime, int | None]  # member, time of issue, validity in seconds
_MIN_VALIDITY_S, _MAX_VALIDITY_S = int(passes.GOOD_AFTER.total_seconds()), int(passes.LONGEST_VALIDITY.total_seconds())

log = structlog.get_logger()


class PassKeyError(Exception):
    """There is no usable key to sign or verify passes."""


class PassClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """Claims of a code.

    Args:
        sub: the member.
        iat: time of issue, in seconds since 1970 (up to the year 2106).
        ttl: only in long-lived passes: validity in seconds. Software that does not know the claim treats the code as an
            ordinary one, which is valid for a shorter time.
    """

    sub: Annotated[str, msgspec.Meta(min_length=22, max_length=22)]
    iat: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    ttl: Annotated[int, msgspec.Meta(gt=_MIN_VALIDITY_S, le=_MAX_VALIDITY_S)] | None = None


def ensure_pass_key(key_dir: Path) -> str:
    """The id of the newest key. Creates the first key if there is none (folder 0700, file 0600)."""
    return KeyFolder(key_dir).ensure(_new_pem)


def rotate_pass_key(key_dir: Path) -> str:
    """Add a key that signs from now on. The others still verify. Returns its id."""
    folder = KeyFolder(key_dir)
    with folder.locked():
        return folder.add(_new_pem())


def retire_pass_key(key_dir: Path, key_id: str) -> None:
    """Remove a key: all codes that it signed count as forged from now on.

    Raises:
        PassKeyError: there is no such key, or it is the only one.
    """
    folder = KeyFolder(key_dir)
    with folder.locked():
        key_ids = folder.key_ids()
        if key_id not in key_ids:
            raise PassKeyError(f"there is no pass key {key_id}")
        if len(key_ids) == 1:
            raise PassKeyError(f"{key_id} is the only pass key. Add another key first")
        folder.remove(key_id)


class PassSigner:
    """Signs codes with the newest key.

    Args:
        key_dir: folder of the keys.
        min_key_age: minimum age of a key that signs, for folders that reach the replicas at different times; a
            Kubernetes secret takes up to two minutes.
        clock: current time, for `min_key_age`.

    Raises:
        PassKeyError: the folder has no usable key.
    """

    def __init__(self, key_dir: Path, *, min_key_age: timedelta = timedelta(0), clock: Clock = system_clock) -> None:
        self._ring = _KeyRing(key_dir)
        self._min_key_age = min_key_age
        self._clock = clock
        self._jws = PyJWS(algorithms=[ALGORITHM])

    def sign(self, member_id: UUID, issued_at: datetime, validity: timedelta | None = None) -> str:
        """Sign the code of a member for one issue time.

        Args:
            member_id: the member.
            issued_at: in whole seconds.
            validity: of a long-lived pass; None, or the default validity: an ordinary pass.

        Raises:
            ValueError: `validity` is shorter than the default, or longer than `passes.LONGEST_VALIDITY`.
        """
        key_id, key = self._signing_key()
        claims = PassClaims(passes.subject_of(member_id), int(issued_at.timestamp()), _ttl(validity))
        # No `typ`: it is optional (RFC 7519 section 5.1), and 19 characters more need a larger QR code.
        headers = {"kid": key_id, "typ": None}
        return self._jws.encode(msgspec.json.encode(claims), key, algorithm=ALGORITHM, headers=headers)

    def _signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        keys = self._ring.keys().private
        newest = max(keys)
        if not self._min_key_age:
            return newest, keys[newest]
        old_enough = [key_id for key_id in keys if created_at(key_id) <= self._clock() - self._min_key_age]
        # Without a key of that age, the oldest is the one that most replicas have.
        key_id = max(old_enough) if old_enough else min(keys)
        return key_id, keys[key_id]


class PassVerifier:
    """Verifies scanned codes. Never raises for a scanned text.

    Raises:
        PassKeyError: the folder has no usable key.
    """

    def __init__(self, key_dir: Path) -> None:
        self._ring = _KeyRing(key_dir)
        self._claims = msgspec.json.Decoder(PassClaims)

    def read(self, code: str, arrived_at: datetime) -> PassReading:
        """Verify a code as of its arrival."""
        verified = self._verified(code)
        if verified is None:
            return PassReading(PassStatus.FORGED)
        member_id, issued_at, validity_s = verified
        validity = None if validity_s is None else timedelta(seconds=validity_s)
        return PassReading(passes.status_of(issued_at, arrived_at, validity), member_id, issued_at, validity_s)

    def _verified(self, code: str) -> _VerifiedPass | None:
        if len(code) > MAX_CODE_LENGTH:
            return None
        header = code.partition(".")[0]
        keys = self._ring.keys_for(header)
        key = keys.by_header.get(header)
        if key is None:
            return None
        verified = keys.verified.get(code)
        if verified is None:
            verified = self._verify(code, key)
            if verified is not None:
                keys.remember(code, verified)
        return verified

    def _verify(self, code: str, key: VerifyKey) -> _VerifiedPass | None:
        # Without PyJWT: the header is compared already, and PyJWT's parsing takes half as long as the signature.
        signed, _, signature = code.rpartition(".")
        try:
            raw = _decoded(signature)
            if _encoded(raw) != signature:  # the decoder skips invalid characters: one code would have several forms
                return None
            key.verify(signed.encode(), raw)
            claims = self._claims.decode(_decoded(signed.partition(".")[2]))
            return passes.member_of(claims.sub), datetime.fromtimestamp(claims.iat, UTC), claims.ttl
        except (BadSignatureError, ValueError):
            return None

    def public_keys(self) -> dict[str, str]:
        """The public keys by id, base64url without padding (RFC 8037), for offline doors."""
        found = self._ring.keys().private
        return {key_id: _encoded(key.public_key().public_bytes_raw()) for key_id, key in found.items()}

    def check(self) -> None:
        """Check that the keys can be read.

        Raises:
            PassKeyError: they cannot.
        """
        self._ring.load()


class _Keys:
    """The keys of a folder at one time, and a cache of codes with valid signatures.

    A phone is scanned several times per second: for a known code only the age is checked, not the signature. The cache
    is dropped when the keys change.
    """

    def __init__(self, private: dict[str, Ed25519PrivateKey]) -> None:
        self.private = private
        # libsodium verifies twice as fast as OpenSSL, and verification is most of the work of a scan.
        self.by_header = {
            _header(key_id): VerifyKey(key.public_key().public_bytes_raw()) for key_id, key in private.items()
        }
        self.verified: dict[str, _VerifiedPass] = {}

    def remember(self, code: str, verified: _VerifiedPass) -> None:
        """Cache the claims of a code. Thread-safe."""
        if len(self.verified) >= _CACHE_SIZE:
            self.verified.clear()
        self.verified[code] = verified


class _KeyRing:
    """The keys of a folder when it was last read."""

    def __init__(self, key_dir: Path) -> None:
        self._folder = KeyFolder(key_dir)
        self._keys = self.load()
        self._checked_at = time.monotonic()

    def keys(self) -> _Keys:
        """The keys; changes are noticed within a second."""
        if time.monotonic() - self._checked_at >= _CHECK_INTERVAL_S:
            self._checked_at = time.monotonic()
            try:
                self._load_changes()
            except PassKeyError as error:
                # While the folder is unavailable, the known keys stay valid: members are still admitted.
                log.warning("pass_keys_unreadable", error=str(error))
        return self._keys

    def keys_for(self, header: str) -> _Keys:
        """The keys, read once more if none has this exact header.

        A header names its own algorithm. Comparing the whole header leaves an attacker no choice.
        """
        if header not in self.keys().by_header:
            with suppress(PassKeyError):  # logged by `keys`, once a second
                self._load_changes()
        return self._keys

    def load(self) -> _Keys:
        """Read the folder.

        Raises:
            PassKeyError: there is no key, or one cannot be read.
        """
        try:
            keys = {key_id: _private_key(self._folder.read(key_id)) for key_id in self._folder.key_ids()}
        except (OSError, ValueError, TypeError) as error:
            raise PassKeyError(f"the pass keys in {self._folder.path} cannot be read: {error}") from error
        if not keys:
            raise PassKeyError(f"there is no pass key in {self._folder.path}")
        return _Keys(keys)

    def _load_changes(self) -> None:
        try:
            unchanged = self._folder.key_ids() == list(self._keys.private)
        except OSError as error:
            raise PassKeyError(f"the pass keys in {self._folder.path} cannot be read: {error}") from error
        if not unchanged:
            self._keys = self.load()


def _ttl(validity: timedelta | None) -> int | None:
    seconds = _MIN_VALIDITY_S if validity is None else int(validity.total_seconds())
    if not _MIN_VALIDITY_S <= seconds <= _MAX_VALIDITY_S:
        raise ValueError(f"a pass is valid for {_MIN_VALIDITY_S} to {_MAX_VALIDITY_S} seconds, not {seconds}")
    return None if seconds == _MIN_VALIDITY_S else seconds


def _header(key_id: str) -> str:
    return _encoded(msgspec.json.encode({"alg": ALGORITHM, "kid": key_id}))


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("not an Ed25519 key")
    return key
