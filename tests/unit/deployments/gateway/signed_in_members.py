"""Members who sign up and in by the interface alone, as tests want them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from domain.identity.model import Role
from tests.unit.deployments.harness import Harness
from tests.unit.integrations.local_identity.harness import EMAIL, PASSWORD


@dataclass(frozen=True)
class SignedInMember:
    """What a sign-in has given."""

    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def id(self) -> UUID:
        return UUID(self.tokens["user"]["id"])

    @property
    def session_id(self) -> str:
        session_id: str = self.tokens["session_id"]
        return session_id


async def sign_up(harness: Harness, email: str = EMAIL, password: str = PASSWORD, name: str = "Ana Lima") -> None:
    """Make an account and confirm it by the code in the mail."""
    answer = await harness.client.post("/sign-up", json={"email": email, "password": password, "name": name})
    assert answer.status_code == 202, answer.text
    code = harness.mailbox.code_for(email)
    answer = await harness.client.post("/sign-up/confirm", json={"email": email, "code": code})
    assert answer.status_code == 204, answer.text


async def try_to_sign_in(
    harness: Harness, email: str = EMAIL, password: str = PASSWORD, headers: dict[str, str] | None = None
) -> httpx.Response:
    return await harness.client.post("/sessions", json={"email": email, "password": password}, headers=headers)


async def sign_in(
    harness: Harness, email: str = EMAIL, password: str = PASSWORD, device: str = "phone"
) -> SignedInMember:
    answer = await try_to_sign_in(harness, email, password, {"User-Agent": device})
    assert answer.status_code == 201, answer.text
    return SignedInMember(answer.json())


async def new_member(harness: Harness, email: str = EMAIL) -> SignedInMember:
    await sign_up(harness, email)
    return await sign_in(harness, email)


async def new_admin(harness: Harness, email: str = "boss@example.com") -> SignedInMember:
    """The first admin, as the command line makes one."""
    await sign_up(harness, email)
    account = harness.provider.account_of(email)
    assert account is not None
    harness.provider.add_to_group(account.sub, Role.ADMIN)
    return await sign_in(harness, email)
