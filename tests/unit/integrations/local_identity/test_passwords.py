"""Passwords of the local provider."""

import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from integrations.local_identity.passwords import MAX_LENGTH, MIN_LENGTH, Passwords, weakness
from integrations.settings import IdentitySettings
from tests.unit.integrations.local_identity.harness import LIGHT

GOOD = "correct horse 7 staple"


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        "only small letters",
        "nur Kleinbuchstaben äöü",
        "кислород и водород",
        "七転び八起き七転び八起き",
        "abcdef" * 2,
        "x" * 8 + "yzab" + "c" * 116,
    ],
)
def test_length_counts_and_not_what_it_is_made_of(good: str) -> None:
    assert weakness(good, "ana@example.com", "Ana Lima") is None


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("", "fewer than 12"),
        ("eleven char", "fewer than 12"),
        ("abcdef" * 22, "more than 128"),
        ("aaaaaaaaaaaa", "too few characters"),
        ("abababababababab", "too few characters"),
        ("password1234", "guessed first"),
        ("PassWord1234", "guessed first"),
        ("qwertyuiop123", "guessed first"),
        ("ana.lima.ana.lima", "own name or address"),
        ("AnaLimaAnaLima1", "own name or address"),
    ],
)
def test_a_refusal_says_how_to_fix_it(bad: str, told: str) -> None:
    assert told in (weakness(bad, "ana.lima@example.com", "Ana Lima") or "")


def test_characters_are_counted_as_they_are_seen() -> None:
    decomposed = unicodedata.normalize("NFD", "éèêëàâäîïôö")
    assert len(decomposed) > MIN_LENGTH
    assert "fewer than" in (weakness(decomposed, "", "") or "")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=160), st.text(max_size=20))
def test_whatever_is_accepted_has_between_twelve_and_128_characters(password: str, name: str) -> None:
    if weakness(password, f"{name}@example.com", name) is None:
        assert MIN_LENGTH <= len(unicodedata.normalize("NFC", password)) <= MAX_LENGTH


def test_a_password_is_kept_as_argon2id_with_the_costs_that_are_set() -> None:
    kept = Passwords(IdentitySettings(argon2_memory_kib=64, argon2_passes=3)).hashed(GOOD)
    parameters = extract_parameters(kept)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost) == (Type.ID, 64, 3)


def test_without_a_setting_the_costs_are_what_owasp_advises() -> None:
    parameters = extract_parameters(Passwords(IdentitySettings()).hashed(GOOD))
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)


def test_one_password_is_never_kept_twice_alike() -> None:
    passwords = Passwords(LIGHT)
    assert passwords.hashed(GOOD) != passwords.hashed(GOOD)


def test_only_the_password_itself_matches_on_whatever_keyboard_it_is_typed() -> None:
    passwords = Passwords(LIGHT)
    kept = passwords.hashed(unicodedata.normalize("NFC", "crème brûlée 77"))
    assert passwords.match(unicodedata.normalize("NFD", "crème brûlée 77"), kept)
    assert not passwords.match("creme brulee 77", kept)


@pytest.mark.parametrize("kept", [None, "", "no hash", "$argon2id$v=19$m=8,t=1,p=1$broken"])
def test_where_nothing_was_kept_nothing_matches(kept: str | None) -> None:
    passwords = Passwords(LIGHT)
    for tried in (GOOD, "", "nobody's password"):
        assert not passwords.match(tried, kept)


def test_costs_that_changed_are_seen() -> None:
    kept = Passwords(LIGHT).hashed(GOOD)
    assert not Passwords(LIGHT).is_outdated(kept)
    assert Passwords(IdentitySettings(argon2_memory_kib=16, argon2_passes=1)).is_outdated(kept)
    assert Passwords(IdentitySettings(argon2_memory_kib=8, argon2_passes=2)).is_outdated(kept)


def test_an_unknown_account_costs_as_much_as_a_known_one() -> None:
    passwords = Passwords(IdentitySettings(argon2_memory_kib=19_456, argon2_passes=2))
    kept = passwords.hashed(GOOD)

    def fastest(what: str | None) -> float:
        took = []
        for _ in range(5):
            begun = time.thread_time()
            passwords.match("a wrong password", what)
            took.append(time.thread_time() - begun)
        return min(took)

    # The processor's time of this thread: how busy the machine is does not count.
    assert fastest(None) > fastest(kept) / 2


class Watched(PasswordHasher):
    """Counts how many hash at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.inside = self.most = 0
        self._counting = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self._counting:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.01)
        with self._counting:
            self.inside -= 1
        return super().hash(password, salt=salt)


def test_no_more_than_two_hashes_are_made_at_once() -> None:
    watched = Watched()
    passwords = Passwords(LIGHT, watched)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(passwords.hashed, [GOOD] * 16))
    assert watched.most == 2
