"""Passwords of the local provider: rules and hashing (argon2id, RFC 9106)."""

import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from integrations.settings import IdentitySettings

MIN_LENGTH, MAX_LENGTH = 12, 128
_FEWEST_LETTERS = 5
# What guessers try first, as far as it is long enough; how it is written does not matter.
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
# More hashes at once than cores only make each of them, and everything beside them, slower.
_AT_ONCE = 2


def weakness(password: str, email: str | None, name: str) -> str | None:
    """Why a new password is refused and how to choose a better one; None if it is accepted.

    Length counts, not composition (NIST SP 800-63B section 5.1.1.2).
    """
    plain = _normal(password)
    if len(plain) < MIN_LENGTH:
        return f"The password has fewer than {MIN_LENGTH} characters; a few words in a row make a good one."
    if len(plain) > MAX_LENGTH:
        return f"The password has more than {MAX_LENGTH} characters."
    if len(set(plain)) < _FEWEST_LETTERS:
        return "The password repeats too few characters; use more different ones."
    if plain.casefold() in _COMMON:
        return "The password is one of those that are guessed first; a few unrelated words make a better one."
    told = [(email or "").partition("@")[0], *name.split()]
    left = plain.casefold()
    for word in filter(None, told):
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
        self._turns = BoundedSemaphore(_AT_ONCE)
        # Held against where there is no account: the answer takes as long as with one.
        self._nobody = self._hasher.hash("nobody's password")

    def hashed(self, password: str) -> str:
        """Hash a password."""
        with self._turns:
            return self._hasher.hash(_normal(password))

    def match(self, password: str, kept: str | None) -> bool:
        """Whether the password matches the hash. Takes the same time if there is no hash."""
        held_against = self._nobody if kept is None else kept
        with self._turns:
            try:
                return self._hasher.verify(held_against, _normal(password)) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash uses outdated parameters."""
        return self._hasher.check_needs_rehash(kept)


def _normal(password: str) -> str:
    # The same letters typed on another keyboard.
    return unicodedata.normalize("NFC", password)
