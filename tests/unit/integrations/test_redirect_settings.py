"""Pages to return to that are none stop the start, with the name of their setting."""

import pytest
from pydantic import ValidationError

from integrations.settings import Settings

WRONG = ("", "/callback", "app.example.com/callback", "https://*.example.com/", "https://a.example/#x", "javascript:x")


@pytest.mark.parametrize("uri", WRONG)
def test_a_page_to_return_to_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("FITMONITOR_IDENTITY__REDIRECT_URIS", f'["https://app.example.com/callback", "{uri}"]')
    with pytest.raises(
        ValidationError, match=r"FITMONITOR_IDENTITY__REDIRECT_URIS.*https://app\.example\.com/callback"
    ):
        Settings()
    monkeypatch.delenv("FITMONITOR_IDENTITY__REDIRECT_URIS")
    monkeypatch.setenv("FITMONITOR_DEFAULT_STAGE__REDIRECT_URI", uri or " ")
    with pytest.raises(ValidationError, match="FITMONITOR_DEFAULT_STAGE__REDIRECT_URI"):
        Settings()


def test_a_list_of_pages_is_taken_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_IDENTITY__REDIRECT_URIS", '["https://App.example.com/callback?x=1"]')
    assert Settings().identity.redirect_uris == ["https://App.example.com/callback?x=1"]


@pytest.mark.parametrize(("host", "url"), [("::", "[::]"), ("::1", "[::1]"), ("", "0.0.0.0"), ("gym", "gym")])  # noqa: S104
def test_a_host_of_either_kind_is_where_the_public_reaches_this(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str
) -> None:
    monkeypatch.setenv("FITMONITOR_HOST", host)
    assert Settings().api.public_url == f"http://{url}:8000"


@pytest.mark.parametrize(
    ("name", "value"), [("FITMONITOR_API__PUBLIC_URL", "gym.example.org"), ("FITMONITOR_HOST", "a b")]
)
def test_a_public_address_that_is_none_is_named_and_not_what_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=f"Value error, {name}: "):
        Settings()
