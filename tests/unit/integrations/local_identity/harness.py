"""A local provider to test with: light hashes, a mailbox, a clock that is set by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from domain.identity.model import IdentityProblem, IdentityRefusal, Tokens
from domain.identity.ports import Account
from integrations.local_identity.keys import JWKS_FILE
from integrations.local_identity.passwords import Passwords
from integrations.local_identity.provider import LocalProvider
from integrations.settings import IdentitySettings, Settings
from tests.keys import signing_keys
from tests.mailbox import Mailbox

EMAIL = "ana@example.com"
PASSWORD = "correct horse 7 staple"  # noqa: S105 - of nobody
OTHER_PASSWORD = "another battery 8 pile"  # noqa: S105 - of nobody
REDIRECT = "http://127.0.0.1:8000/api/sessions/callback"
LIGHT = IdentitySettings(argon2_memory_kib=8, argon2_passes=1)


def light_settings(folder: Path, keys: Path | None = None, **others: BaseModel) -> Settings:
    """Of a local provider whose hashes cost next to nothing, with the key that all tests share, or with others.

    Args:
        folder: the data folder.
        keys: a folder of keys of one's own.
        others: other groups of the settings.
    """
    keys = keys or signing_keys()
    named = {"signing_key_dir": keys, "jwks_url": (keys / JWKS_FILE).as_uri()}
    return Settings(data_dir=folder, identity=LIGHT.model_copy(update=named), **others)  # type: ignore[arg-type]


def problem_of(answer: object) -> IdentityProblem | None:
    """Why it was refused; None where it was not."""
    return answer.problem if isinstance(answer, IdentityRefusal) else None


class ProviderHarness:
    """One provider, and all that a test wants of it."""

    def __init__(self, folder: Path, passwords: Passwords | None = None, keys: Path | None = None) -> None:
        self.settings = light_settings(folder, keys)
        self.mailbox = Mailbox()
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.provider = LocalProvider(self.settings, self.mailbox, lambda: self.now, passwords)

    def later(self, **how: float) -> None:
        """Let time pass."""
        self.now += timedelta(**how)

    def member(self, email: str = EMAIL, password: str | None = PASSWORD, name: str = "Ana Lima") -> Account:
        """A confirmed account."""
        account = self.provider.create(email, name, password)
        assert isinstance(account, Account), account
        return account

    def signed_in(self, password: str = PASSWORD) -> Tokens:
        """A session of it."""
        tokens = self.provider.sign_in(EMAIL, password)
        assert isinstance(tokens, Tokens), tokens
        return tokens

    def refreshed(self, tokens: Tokens) -> Tokens:
        """The session, gone on with."""
        fresh = self.provider.refresh(tokens.refresh_token)
        assert isinstance(fresh, Tokens), fresh
        return fresh

    def is_over(self, tokens: Tokens) -> bool:
        """Whether the session cannot be gone on with. Spends its token where it can."""
        return not isinstance(self.provider.refresh(tokens.refresh_token), Tokens)

    def code(self, email: str = EMAIL) -> str:
        """The code that was sent last."""
        return self.mailbox.code_for(email)

    def other_code(self, by: int = 1) -> str:
        """A code that was not sent."""
        return f"{(int(self.code()) + by) % 1_000_000:06d}"
