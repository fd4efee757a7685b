"""The settings of child processes, and the files that are created for them."""

from pathlib import Path

import pytest

from cluster.errors import CommandError
from cluster.local.doctor.checks import examine
from cluster.local.doctor.finding import Finding
from cluster.local.prepare import accounts
from cluster.local.stack import inherited_settings
from integrations.settings import ApiSettings, IdentitySettings, ImageSettings, MailSettings, Profile, Settings
from tests.unit.cluster.installation import Installation


def child_of(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a process that was started in another folder."""
    for name, value in inherited_settings(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return Settings()


@pytest.mark.parametrize("profile", [Profile.EMBEDDED, Profile.FULL])
def test_paths_are_the_same_for_a_process_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    chosen = Settings(
        profile=profile,
        data_dir=Path("data"),
        identity=IdentitySettings(accounts_file=Path("people.sqlite3"), signing_key_dir=Path("signing")),
        mail=MailSettings(folder=Path("letters")),
        images=ImageSettings(folder=Path("photographs")),
    )
    child = child_of(chosen, there, monkeypatch)
    assert child.profile is profile
    assert child.identity.accounts_file == here / "people.sqlite3"
    assert child.identity.signing_key_dir == here / "signing"
    assert child.mail.folder == here / "letters"
    assert child.images.folder == here / "photographs"
    assert child.passes.key_dir == here / "data" / "keys" / "passes"


@pytest.mark.parametrize(
    ("host", "named", "found"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8123"),
        ("192.0.2.7", "", "http://192.0.2.7:8123"),
        ("0.0.0.0", "", "http://127.0.0.1:8123"),  # noqa: S104 - nobody listens
        ("0.0.0.0", "https://gym.example.org/", "https://gym.example.org"),  # noqa: S104 - nobody listens
    ],
)
def test_the_public_url_can_be_opened_in_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, named: str, found: str
) -> None:
    chosen = Settings(host=host, port=8123, data_dir=tmp_path, api=ApiSettings(public_url=named))
    child = child_of(chosen, tmp_path, monkeypatch)
    assert (child.api.public_url, child.default_stage.redirect_uri) == (found, f"{found}/")


def test_haproxy_is_the_only_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings(data_dir=tmp_path, api=ApiSettings(forwarded_header="X-Real-IP", forwarded_hops=3))
    child = child_of(chosen, tmp_path, monkeypatch).api
    assert (child.forwarded_header, child.forwarded_hops) == ("X-Forwarded-For", 1)


def test_another_identity_provider_needs_no_accounts_file(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path, identity=IdentitySettings(user_pool_id="pool"))
    assert "FITMONITOR_IDENTITY__ACCOUNTS_FILE" not in inherited_settings(chosen)


def test_accounts_file_and_mail_folder_are_created(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path / "data")
    for _ in range(2):
        accounts(chosen)
    assert chosen.identity.accounts_file is not None
    assert chosen.mail.folder is not None
    assert chosen.identity.accounts_file.stat().st_mode & 0o077 == 0
    assert chosen.mail.folder.stat().st_mode & 0o077 == 0


def test_an_unusable_accounts_file_stops_the_start_and_is_named(installation: Installation) -> None:
    chosen = installation.settings.model_copy(deep=True)
    chosen.identity.accounts_file = installation.settings.data_dir
    with pytest.raises(CommandError, match=str(installation.settings.data_dir)):
        accounts(chosen)


def found(settings: Settings, what: str) -> list[Finding]:
    return [finding for finding in examine(settings, Profile.EMBEDDED) if finding.what == what]


def test_doctor_reports_unwritable_folders(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path)
    assert [finding.good for what in ("accounts", "mail") for finding in found(chosen, what)] == [True, True]
    in_the_way = tmp_path / "a file"
    in_the_way.touch()
    chosen.identity.accounts_file, chosen.mail.folder = tmp_path, in_the_way
    (bad_file,), (bad_folder,) = found(chosen, "accounts"), found(chosen, "mail")
    assert not bad_file.good
    assert "FITMONITOR_IDENTITY__ACCOUNTS_FILE" in bad_file.hint
    assert not bad_folder.good
    assert "FITMONITOR_MAIL__FOLDER" in bad_folder.hint


def test_doctor_does_not_check_unused_folders(tmp_path: Path) -> None:
    chosen = Settings(
        data_dir=tmp_path,
        mail=MailSettings(smtp_host="mail.example.org"),
        identity=IdentitySettings(user_pool_id="pool"),
    )
    assert found(chosen, "accounts") + found(chosen, "mail") == []
