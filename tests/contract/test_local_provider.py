from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.identity.ports import Directory
from integrations.local_identity.provider import LocalProvider
from tests.contract.identity_provider_contract import IdentityProviderContract
from tests.mailbox import Mailbox
from tests.unit.integrations.local_identity.harness import light_settings


class TestLocalProvider(IdentityProviderContract):
    mailbox: Mailbox

    @pytest.fixture
    def provider(self, tmp_path: Path) -> Iterator[LocalProvider]:
        self.mailbox = Mailbox()
        provider = LocalProvider(light_settings(tmp_path), self.mailbox)
        yield provider
        provider.close()

    @pytest.fixture
    def directory(self, provider: LocalProvider) -> Directory:
        return provider

    def code_for(self, email: str) -> str:
        return self.mailbox.code_for(email)

    def wrong_code_for(self, email: str) -> str:
        return f"{(int(self.code_for(email)) + 1) % 1_000_000:06d}"
