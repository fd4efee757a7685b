"""What the services of Identity need of the systems behind them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.identity.ports import Directory, IdentityFunctions, IdentityProvider, Mailer

if TYPE_CHECKING:  # the callers of the services import this module; the providers take 15 MiB
    from integrations.local_identity.provider import LocalProvider


@dataclass(frozen=True, slots=True)
class IdentityBackend:
    """The provider of accounts, its directory, its functions, and mail.

    Args:
        answer_takes_s: minimum duration of answers that must not reveal whether an account exists.
    """

    provider: IdentityProvider
    directory: Directory
    functions: IdentityFunctions
    mailer: Mailer
    answer_takes_s: float = 0.0

    @contextmanager
    def equal_time(self) -> Iterator[None]:
        """Take at least `answer_takes_s`, so that the duration does not reveal whether an account exists."""
        begun = time.monotonic()
        try:
            yield
        finally:
            time.sleep(max(0.0, begun + self.answer_takes_s - time.monotonic()))

    @property
    def local(self) -> "LocalProvider | None":
        """The local provider; None with Cognito."""
        from integrations.local_identity.provider import LocalProvider  # noqa: PLC0415 - see above

        return self.provider if isinstance(self.provider, LocalProvider) else None
