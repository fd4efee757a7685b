"""Passes signed and verified: a JWT by Ed25519 with the fewest claims, about 190 characters.

Each key is a PEM file; the newest signs, every one that is present verifies. A door device that
verifies by itself needs public keys only, which a shared secret would not allow.
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
LONGEST_CODE = 256
_LOOK_AGAIN_S = 1.0
_REMEMBERED = 4096

_Genuine = tuple[UUID, datetime, int | None]  # whom a code names, when it was issued, how long it says it is good
_SHORTEST_S, _LONGEST_S = int(passes.GOOD_AFTER.total_seconds()), int(passes.LONGEST_VALIDITY.total_seconds())

log = structlog.get_logger()


class PassKeyError(Exception):
    """There is no usable key to sign or verify passes with."""


class PassClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a code says.

    Args:
        sub: whom it names.
        iat: when it was issued, in seconds since 1970 (up to the year 2106).
        ttl: of a long-lived pass alone: for how many seconds from then it is good. Whoever does not know the claim
            takes the code for an ordinary one, which is good for a shorter time.
    """

    sub: Annotated[str, msgspec.Meta(min_length=22, max_length=22)]
    iat: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    ttl: Annotated[int, msgspec.Meta(gt=_SHORTEST_S, le=_LONGEST_S)] | None = None


def ensure_pass_key(key_dir: Path) -> str:
    """The id of the newest key; where there is none, a first one is made (folder 0700, file 0600)."""
    return KeyFolder(key_dir).ensure(_new_pem)


def rotate_pass_key(key_dir: Path) -> str:
    """Add a key that signs from now on; the others go on verifying. Returns its id."""
    folder = KeyFolder(key_dir)
    with folder.changing():
        return folder.add(_new_pem())


def retire_pass_key(key_dir: Path, key_id: str) -> None:
    """Remove a key: every code that it signed is forged from now on.

    Raises:
        PassKeyError: there is no such key, or it is the only one.
    """
    folder = KeyFolder(key_dir)
    with folder.changing():
        key_ids = folder.key_ids()
        if key_id not in key_ids:
            raise PassKeyError(f"there is no pass key {key_id}")
        if len(key_ids) == 1:
            raise PassKeyError(f"{key_id} is the only pass key")
        folder.remove(key_id)


class PassSigner:
    """Signs codes with the newest key.

    Args:
        key_dir: the folder of the keys.
        settle: how long a key must have been there before it signs, for folders that reach
            the replicas at different times; a Kubernetes secret takes up to two minutes.
        clock: the present, for `settle`.

    Raises:
        PassKeyError: the folder has no usable key.
    """

    def __init__(self, key_dir: Path, *, settle: timedelta = timedelta(0), clock: Clock = system_clock) -> None:
        self._ring = _KeyRing(key_dir)
        self._settle = settle
        self._clock = clock
        self._jws = PyJWS(algorithms=[ALGORITHM])

    def sign(self, member_id: UUID, issued_at: datetime, validity: timedelta | None = None) -> str:
        """The code of a member for one issue time.

        Args:
            member_id: whom it names.
            issued_at: in whole seconds.
            validity: of a long-lived pass; None, or as long as any code is good: an ordinary one.

        Raises:
            ValueError: `validity` is shorter than any code's, or longer than `passes.LONGEST_VALIDITY`.
        """
        key_id, key = self._signing_key()
        claims = PassClaims(passes.subject_of(member_id), int(issued_at.timestamp()), _ttl(validity))
        # No `typ`: it is optional (RFC 7519 section 5.1), and 19 characters make the picture finer.
        headers = {"kid": key_id, "typ": None}
        return self._jws.encode(msgspec.json.encode(claims), key, algorithm=ALGORITHM, headers=headers)

    def _signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        keys = self._ring.keys().private
        newest = max(keys)
        if not self._settle:
            return newest, keys[newest]
        settled = [key_id for key_id in keys if created_at(key_id) <= self._clock() - self._settle]
        # None has settled: the oldest is the one that most replicas know.
        key_id = max(settled) if settled else min(keys)
        return key_id, keys[key_id]


class PassVerifier:
    """Says what a scanned code is; never raises for what was scanned.

    Raises:
        PassKeyError: the folder has no usable key.
    """

    def __init__(self, key_dir: Path) -> None:
        self._ring = _KeyRing(key_dir)
        self._claims = msgspec.json.Decoder(PassClaims)

    def read(self, code: str, arrived_at: datetime) -> PassReading:
        """What a code turned out to be at the moment it arrived."""
        genuine = self._genuine(code)
        if genuine is None:
            return PassReading(PassStatus.FORGED)
        member_id, issued_at, validity_s = genuine
        validity = None if validity_s is None else timedelta(seconds=validity_s)
        return PassReading(passes.status_of(issued_at, arrived_at, validity), member_id, issued_at, validity_s)

    def _genuine(self, code: str) -> _Genuine | None:
        if len(code) > LONGEST_CODE:
            return None
        header = code.partition(".")[0]
        keys = self._ring.knowing(header)
        key = keys.by_header.get(header)
        if key is None:
            return None
        genuine = keys.genuine.get(code)
        if genuine is None:
            genuine = self._verified(code, key)
            if genuine is not None:
                keys.remember(code, genuine)
        return genuine

    def _verified(self, code: str, key: VerifyKey) -> _Genuine | None:
        # Not by PyJWT: the header, which is what makes a JWT hard to verify, is settled already,
        # and its checks letter by letter cost half as much as the signature does.
        signed, _, signature = code.rpartition(".")
        try:
            raw = _decoded(signature)
            if _encoded(raw) != signature:  # a decoder skips foreign letters: one code would have several spellings
                return None
            key.verify(signed.encode(), raw)
            claims = self._claims.decode(_decoded(signed.partition(".")[2]))
            return passes.member_of(claims.sub), datetime.fromtimestamp(claims.iat, UTC), claims.ttl
        except (BadSignatureError, ValueError):
            return None

    def public_keys(self) -> dict[str, str]:
        """What it takes to read codes without us: each public key by its id, base64url without padding (RFC 8037)."""
        found = self._ring.keys().private
        return {key_id: _encoded(key.public_key().public_bytes_raw()) for key_id, key in found.items()}

    def check(self) -> None:
        """Whether the keys can be read now.

        Raises:
            PassKeyError: they cannot.
        """
        self._ring.load()


class _Keys:
    """The keys of a folder at one time, and the codes that they were seen to have signed.

    A phone held up is scanned several times a second: a code that is known to be genuine needs
    its age checked, not its signature. What is known goes when the keys change.
    """

    def __init__(self, private: dict[str, Ed25519PrivateKey]) -> None:
        self.private = private
        # libsodium's verifying takes half as long as OpenSSL's, and it is most of what Qr does.
        self.by_header = {
            _header(key_id): VerifyKey(key.public_key().public_bytes_raw()) for key_id, key in private.items()
        }
        self.genuine: dict[str, _Genuine] = {}

    def remember(self, code: str, genuine: _Genuine) -> None:
        """Keep what a code says; several threads may do so at once."""
        if len(self.genuine) >= _REMEMBERED:
            self.genuine.clear()
        self.genuine[code] = genuine


class _KeyRing:
    """The keys of a folder as they were when it was last looked at."""

    def __init__(self, key_dir: Path) -> None:
        self._folder = KeyFolder(key_dir)
        self._keys = self.load()
        self._looked = time.monotonic()

    def keys(self) -> _Keys:
        """The keys; that one came or went is noticed a second late at most."""
        if time.monotonic() - self._looked >= _LOOK_AGAIN_S:
            self._looked = time.monotonic()
            try:
                self._load_changes()
            except PassKeyError as error:
                # A folder that is away for a moment must not turn every member away.
                log.warning("pass_keys_unreadable", error=str(error))
        return self._keys

    def knowing(self, header: str) -> _Keys:
        """The keys, looked at once more if none signs under exactly this header.

        A header names its algorithm itself. Taking the whole of it as the key's name leaves
        nothing to choose for whoever made the code.
        """
        if header not in self.keys().by_header:
            with suppress(PassKeyError):  # `keys` tells of it, once a second
                self._load_changes()
        return self._keys

    def load(self) -> _Keys:
        """What is in the folder now.

        Raises:
            PassKeyError: no key is, or one that cannot be read.
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
    seconds = _SHORTEST_S if validity is None else int(validity.total_seconds())
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise ValueError(f"a pass is good for {_SHORTEST_S} to {_LONGEST_S} seconds, not {seconds}")
    return None if seconds == _SHORTEST_S else seconds


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
