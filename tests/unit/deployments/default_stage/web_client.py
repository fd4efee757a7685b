"""The existing web client's calls, beside a gateway, on the same stand-ins."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx

from deployments.default_stage.assembly import StageBackends, assemble_stage
from deployments.gateway.machines.use import decide_machine_use
from deployments.http.confirmed_cache import Freshness
from deployments.http.door_replies import DoorAnswer
from domain.door.machine_model import MachineAction
from integrations.tokens import TokenUse, TokenVerifier
from tests.unit.deployments.harness import Harness, StandInTokens
from tests.unit.integrations.local_identity.harness import PASSWORD

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class LocalDoor:
    """The scanner and the gateway, called without handles."""

    harness: Harness

    async def scan_by_staff(self, staff_id: UUID, body: bytes) -> DoorAnswer:
        return await DoorAnswer.of(self.harness.scans.scan_by_staff(staff_id, body))

    async def machine_by_member(self, member_id: UUID, machine_id: UUID, action: MachineAction) -> DoorAnswer:
        return await DoorAnswer.of(decide_machine_use(self.harness.parts, member_id, action, machine_id))


class Stage:
    """One replica, and the gateway that it asks."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.tokens = StandInTokens(
            TokenVerifier(harness.settings.identity, TokenUse.ID, clock=harness.world.clock), harness.world.clock
        )
        self.client = self.replica()

    def replica(self) -> httpx.AsyncClient:
        """A client of another replica."""
        harness = self.harness
        others = StageBackends(
            harness.gym, harness.identity, harness.qr, harness.payments, LocalDoor(harness), self.tokens, harness.images
        )
        self.shell = assemble_stage(
            others, self.harness.settings, self.harness.world.clock, freshness=Freshness(trust_for=0)
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.shell, root_path="/default", raise_app_exceptions=True),
            base_url="http://gym.test/default",
        )

    async def code(self, email: str, password: str = PASSWORD, *, redirect_uri: str | None = None) -> str:
        """What the provider's page gives to the client's page, by default that of the settings."""
        asked = {
            "client_id": self.harness.settings.identity.client_id,
            "redirect_uri": redirect_uri or self.harness.settings.default_stage.redirect_uri,
            "response_type": "code",
        }
        content = urlencode(asked | {"email": email, "password": password})
        answer = await self.harness.client.post("/identity/oauth2/authorize", content=content, headers=FORM)
        assert answer.status_code == 303, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    async def signed_in(self, email: str) -> dict[str, str]:
        """The header that the client sends once its page has a code."""
        answer = await self.client.get("/api/token/get", params={"code": await self.code(email)})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {id_token(answer)}"}


def id_token(answer: httpx.Response) -> str:
    """As the client takes it out of the answer."""
    said: dict[str, Any] = json.loads(answer.json()["token"])
    token: str = said["id_token"]
    return token
