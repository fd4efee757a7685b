"""Which installation the commands call, and as which user."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.cli.api.connection import connected
from cluster.cli.api.errors import UsageError
from cluster.cli.api.local_users import access_token
from cluster.errors import CommandError
from cluster.local.process import ProcessId
from cluster.local.stack_record import StackRecord
from domain.identity.model import Caller, Client, Role
from domain.identity.service import know_caller, set_enabled
from domain.unit_of_work import Store
from integrations.settings import Settings, settings
from integrations.tokens import TokenVerifier
from tests.unit.cluster.cli.served_gateway import ServedGateway, served
from tests.unit.cluster.installation import Installation
from tests.world import START


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    for name in [name for name in os.environ if name.startswith("FITMONITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def refused() -> CommandError:
    with pytest.raises(CommandError) as caught, connected():
        pass
    return caught.value


def test_without_a_stack_the_hint_is_how_to_start_one(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert str(refused()) == f"no stack is running in {tmp_path}: start one with `fitmonitor up`"
    environment.setenv("FITMONITOR_TOKEN", "token")
    assert "fitmonitor up" in str(refused()), "a token alone says not where"


def test_another_installation_needs_a_token(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FITMONITOR_URL", "https://gym.example.org")
    assert "set FITMONITOR_TOKEN" in str(refused())
    environment.setenv("FITMONITOR_AS", "olga@example.org")
    assert "set FITMONITOR_TOKEN" in str(refused()), "nobody mints tokens of another installation"


def test_a_token_and_a_name_together_are_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FITMONITOR_TOKEN", "token")
    environment.setenv("FITMONITOR_AS", "olga@example.org")
    assert isinstance(refused(), UsageError)


@pytest.mark.parametrize("url", ["gym.example.org", "ftp://gym.example.org", "http://", "http://x:y"])
def test_an_invalid_url_is_refused(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("FITMONITOR_URL", url)
    environment.setenv("FITMONITOR_TOKEN", "token")
    assert isinstance(refused(), UsageError)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    with served(tmp_path_factory.mktemp("served")) as gateway:
        yield gateway


@pytest.mark.parametrize("tail", ["", "/", "/api", "/api/"])
def test_the_url_may_end_with_a_slash_or_api(
    environment: pytest.MonkeyPatch, gateway: ServedGateway, tail: str
) -> None:
    environment.setenv("FITMONITOR_URL", gateway.url + tail)
    environment.setenv("FITMONITOR_TOKEN", gateway.admin)
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # not asked: it would see the token
    gateway.seen.clear()
    with connected() as api:
        assert api.all("/gyms").items == []
    assert gateway.seen == ["GET /gyms"], "a session that somebody else began is not ended"


@pytest.mark.usefixtures("environment")
def test_a_command_ends_its_session_on_a_local_stack(gateway: ServedGateway, installation: Installation) -> None:
    own = psutil.Process()
    port = int(gateway.url.rpartition(":")[2])
    record = StackRecord(
        profile="embedded",
        host="127.0.0.1",
        port=port,
        data_dir=installation.settings.data_dir,
        run_dir=installation.settings.data_dir,
        boot=psutil.boot_time(),
        supervisor=ProcessId(own.pid, own.create_time()),
    )
    record.write()
    installation.store().close()
    assert str(refused()) == "this stack has no admin to act as: create one with `fitmonitor admin create EMAIL`"
    assert installation.run("admin", "create", "olga@example.org").exit_code == 0
    settings.cache_clear()
    gateway.seen.clear()
    # To the gateway's clock it is a token of the future: what matters is what is asked, and that the session is ended.
    with pytest.raises(CommandError, match="FITMONITOR_TOKEN"), connected() as api:
        api.get("/gyms")
    assert gateway.seen == ["GET /gyms", "DELETE /sessions/current"]


async def caller_of(installation: Installation, email: str) -> Caller:
    return await TokenVerifier(installation.settings.identity).verify(access_token(installation.settings, email))


@pytest.fixture
def store(installation: Installation) -> Iterator[Store]:
    store = installation.store()
    yield store
    store.close()


@pytest.mark.anyio
async def test_the_default_user_is_an_active_admin(installation: Installation, store: Store) -> None:
    with pytest.raises(CommandError, match="fitmonitor admin create EMAIL"):
        access_token(installation.settings, "")
    assert installation.run("admin", "create", "olga@example.org").exit_code == 0
    olga = await caller_of(installation, "")
    assert (olga.email, Role.ADMIN in olga.roles) == ("olga@example.org", True), "who has not signed in yet"
    with store.writing() as connection:
        know_caller(connection, olga, Client(), START)
    assert (await caller_of(installation, "")).user_id == olga.user_id
    assert installation.run("admin", "create", "otto@example.org").exit_code == 0
    with store.writing() as connection:
        set_enabled(connection, None, olga.user_id, enabled=False, now=START)
    installation.provider.set_enabled(olga.user_id, enabled=False)
    assert (await caller_of(installation, "")).email == "otto@example.org"


@pytest.mark.anyio
async def test_an_address_names_a_user_of_this_stack(installation: Installation, store: Store) -> None:
    installation.provider.create("sam@example.org", "Sam", "correct horse 7 staple")
    assert (await caller_of(installation, " Sam@example.org ")).email == "sam@example.org"
    with pytest.raises(CommandError, match="nobody@"):
        access_token(installation.settings, "nobody@example.org")
    installation.provider.sign_up("new@example.org", "correct horse 7 staple", "New")
    with pytest.raises(CommandError, match="new@"):
        access_token(installation.settings, "new@example.org")  # anybody can sign up with an address not theirs
    store.close()


def test_without_a_local_provider_a_token_is_needed(installation: Installation, store: Store, tmp_path: Path) -> None:
    assert installation.run("admin", "create", "olga@example.org").exit_code == 0
    without = installation.settings.identity.model_copy(update={"signing_key_dir": None})
    with pytest.raises(CommandError, match="FITMONITOR_TOKEN"):
        access_token(Settings(data_dir=tmp_path).model_copy(update={"identity": without}), "")
    store.close()
