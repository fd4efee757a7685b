"""Passwords of the local provider: rules and hashing (argon2id, RFC 9106)."""

import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from integrations.settings import IdentitySettings

MIN_LENGTH, MAX_LENGTH = 12, 128
_MIN_DISTINCT_CHARACTERS = 5
# The most frequent passwords that are long enough, compared without case.
_COMMON = frozenset(
    (
        *("123456789012", "1234567890123", "12345678901234", "123456789012345", "1234567890123456", "012345678901"),
        *("123123123123", "123456123456", "1234567891011", "123qweasdzxc", "1q2w3e4r5t6y", "1qaz2wsx3edc"),
        *("abcdefghijkl", "abcdefghijklm", "abcdefghijklmnop", "abcd12345678", "abc123abc123", "qwertyuiop12"),
        *("qwertyuiop123", "qwertyuiopasdf", "qwerty123456", "qwerty12345678", "qwertyqwerty", "asdfghjkl123"),
        *("password1234", "password12345", "password123456", "passwordpassword", "passw0rd1234", "p@ssw0rd1234"),
        *("administrator", "administrator1", "iloveyou1234", "iloveyouforever", "letmeinletmein", "welcome12345"),
        *("changemeplease", "correcthorsebatterystaple", "correct horse battery staple"),
    )
)
# More concurrent hashes than cores would slow down all of them, and everything else.
_MAX_CONCURRENT_HASHES = 2


def weakness(password: str, email: str | None, name: str) -> str | None:
    """Why a new password is refused and how to choose a better one; None if it is accepted.

    Length counts, not composition (NIST SP 800-63B section 5.1.1.2).
    """
    plain = _normal(password)
    if len(plain) < MIN_LENGTH:
        return f"The password has fewer than {MIN_LENGTH} characters; a few words in a row make a good one."
    if len(plain) > MAX_LENGTH:
        return f"The password has more than {MAX_LENGTH} characters."
    if len(set(plain)) < _MIN_DISTINCT_CHARACTERS:
        return "The password repeats too few characters; use more different ones."
    if plain.casefold() in _COMMON:
        return "The password is one of those that are guessed first; a few unrelated words make a better one."
    personal = [(email or "").partition("@")[0], *name.split()]
    left = plain.casefold()
    for word in filter(None, personal):
        left = left.replace(word.casefold(), "")
    if len(left) < MIN_LENGTH // 2:
        return "The password is little more than your own name or address; choose something that nobody knows of you."
    return None


class Passwords:
    """Hashes and verifies passwords. Thread-safe; limits the number of concurrent hashes.

    Args:
        identity: cost parameters.
        hasher: replaces the own hasher.
    """

    def __init__(self, identity: IdentitySettings, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(
            time_cost=identity.argon2_passes, memory_cost=identity.argon2_memory_kib, parallelism=1
        )
        self._slots = BoundedSemaphore(_MAX_CONCURRENT_HASHES)
        # Verified if there is no account, so that the answer takes the same time.
        self._dummy_hash = self._hasher.hash("nobody's password")

    def hashed(self, password: str) -> str:
        """Hash a password."""
        with self._slots:
            return self._hasher.hash(_normal(password))

    def match(self, password: str, password_hash: str | None) -> bool:
        """Whether the password matches the hash. Takes the same time if there is no hash."""
        compared_hash = self._dummy_hash if password_hash is None else password_hash
        with self._slots:
            try:
                return self._hasher.verify(compared_hash, _normal(password)) and password_hash is not None
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash uses outdated parameters."""
        return self._hasher.check_needs_rehash(password_hash)


def _normal(password: str) -> str:
    # Keyboards differ in how they compose characters.
    return unicodedata.normalize("NFC", password)
