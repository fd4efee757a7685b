"""Cookies of devices: good for one account, for a time, under a key that is there; anything else is nobody's."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import new_id
from integrations.device_cookies import DeviceCookies, KnownDevice
from integrations.key_folder import KeyFolder
from integrations.local_identity.keys import ensure_signing_key
from integrations.pass_keys import PassVerifier, ensure_pass_key, retire_pass_key, rotate_pass_key
from integrations.settings import Settings

MIA = "mia@example.org"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
LIFETIME = timedelta(days=180)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_pass_key(folder)
    return folder


@pytest.fixture(scope="module")
def cookies(keys: Path) -> DeviceCookies:
    return DeviceCookies(keys, LIFETIME)


def test_a_cookie_says_whose_device_it_is_and_since_when_on_every_replica(keys: Path, cookies: DeviceCookies) -> None:
    user_id = new_id()
    cookie = cookies.issue(MIA, user_id, NOW)
    device = DeviceCookies(keys, LIFETIME).read(cookie, MIA, NOW)
    assert device is not None
    assert (device.user_id, device.since) == (user_id, NOW)
    other = cookies.read(cookies.issue(MIA, user_id, NOW), MIA, NOW)
    assert isinstance(other, KnownDevice)
    assert other.id != device.id, "each sign-in is a device of its own"


def test_it_is_good_for_its_account_and_its_time_alone(cookies: DeviceCookies) -> None:
    cookie = cookies.issue(MIA, new_id(), NOW)
    assert cookies.read(cookie, "eve@example.org", NOW) is None
    assert cookies.read(cookie, MIA, NOW + LIFETIME - timedelta(seconds=1)) is not None
    assert cookies.read(cookie, MIA, NOW + LIFETIME) is None
    assert MIA not in cookie


@given(at=st.integers(0), letter=st.characters() | st.sampled_from("ABab01-_.="))
def test_no_changed_cookie_is_read(cookies: DeviceCookies, at: int, letter: str) -> None:
    cookie = cookies.issue(MIA, new_id(), NOW)
    at %= len(cookie)
    changed = cookie[:at] + letter + cookie[at + 1 :]
    assert (cookies.read(changed, MIA, NOW) is None) == (changed != cookie)


@given(st.text())
def test_anything_else_is_nobody_s(cookies: DeviceCookies, text: str) -> None:
    assert cookies.read(text, MIA, NOW) is None
    assert cookies.read(f"00000000.{text}.{text}", MIA, NOW) is None


def test_a_cookie_of_a_retired_key_is_no_longer_known(tmp_path: Path) -> None:
    first = ensure_pass_key(tmp_path)
    cookies = DeviceCookies(tmp_path, LIFETIME)
    old = cookies.issue(MIA, new_id(), NOW)
    rotate_pass_key(tmp_path)
    assert cookies.read(old, MIA, NOW) is not None
    new = cookies.issue(MIA, new_id(), NOW)
    assert not new.startswith(first)
    retire_pass_key(tmp_path, first)
    assert cookies.read(old, MIA, NOW) is None
    assert cookies.read(new, MIA, NOW) is not None


def test_without_a_key_every_device_is_a_stranger_and_nobody_is_kept_out(
    tmp_path: Path, cookies: DeviceCookies
) -> None:
    cookie = cookies.issue(MIA, new_id(), NOW)
    foreign = tmp_path / "foreign"
    settings = Settings(data_dir=tmp_path)
    settings.identity.signing_key_dir = foreign
    ensure_signing_key(foreign)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "00000001.pem").write_bytes(b"no key")
    for folder in (None, tmp_path / "nowhere", foreign, broken):
        without = DeviceCookies(folder, LIFETIME)
        assert without.issue(MIA, new_id(), NOW) == ""
        assert without.read(cookie, MIA, NOW) is None
        assert without.read(f"00000001.{cookie}", MIA, NOW) is None


def test_a_cookie_is_no_pass_and_a_pass_no_cookie(keys: Path, cookies: DeviceCookies) -> None:
    cookie = cookies.issue(MIA, new_id(), NOW)
    assert PassVerifier(keys).read(cookie, NOW).member_id is None
    said = urlsafe_b64encode(b"0" * 40).rstrip(b"=").decode()
    (key_id,) = KeyFolder(keys).key_ids()
    assert cookies.read(f"{key_id}.{said}.{said}", MIA, NOW) is None
