"""The sandbox is kept apart from real money and from other sites."""

import pytest
from starlette.datastructures import Headers

from cluster.local.stripe_sandbox.errors import SandboxError, UnauthorizedError
from cluster.local.stripe_sandbox.guard import (
    UnsafeStartError,
    check_environment,
    check_headers,
    check_key,
    check_same_site,
    is_live,
    refuse_live,
)

LIVE = "sk_" + "live_abc123"
SAFE = {
    "FITMONITOR_STRIPE__API_KEY": "sk_test_1",
    "FITMONITOR_STRIPE__WEBHOOK_SECRET": "whsec_1",
    "FITMONITOR_STRIPE__WEBHOOK_URL": "http://127.0.0.1:8000/hook",
}
HOST = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1/x", "http://localhost:1/x", "http://[::1]:80/x", "http://127.9.9.9"]
)
def test_it_starts_with_a_test_key_and_a_local_webhook_address(url: str) -> None:
    check_environment({**SAFE, "FITMONITOR_STRIPE__WEBHOOK_URL": url})


@pytest.mark.parametrize(
    "name", ["FITMONITOR_STRIPE__API_KEY", "FITMONITOR_STRIPE__OTHER", "FITMONITOR_STRIPE", "STRIPE_SECRET_KEY"]
)
@pytest.mark.parametrize("key", [LIVE, LIVE.replace("sk", "rk"), f" {LIVE}", f'{{"api_key": "{LIVE}"}}'])
def test_it_does_not_start_beside_a_live_key_and_does_not_repeat_it(name: str, key: str) -> None:
    with pytest.raises(UnsafeStartError, match=name) as refused:
        check_environment({**SAFE, name: key})
    assert "abc123" not in str(refused.value)


def test_variables_of_other_programs_are_ignored() -> None:
    check_environment({**SAFE, "PATH": LIVE})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "http://10.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1.example.org/",
        "//127.0.0.1/x",
        "http://127.0.0.1@example.org/x",
        "http://0.0.0.0/x",
        "http://127.0.0.1:99999/",
        "nonsense",
        "http://[::1/x",
    ],
)
def test_webhooks_never_leave_this_machine(url: str) -> None:
    with pytest.raises(UnsafeStartError, match="WEBHOOK_URL"):
        check_environment({**SAFE, "FITMONITOR_STRIPE__WEBHOOK_URL": url})


@pytest.mark.parametrize("name", ["FITMONITOR_STRIPE__API_KEY", "FITMONITOR_STRIPE__WEBHOOK_SECRET"])
def test_a_missing_secret_is_named(name: str) -> None:
    with pytest.raises(UnsafeStartError, match=name):
        check_environment({**SAFE, name: ""})


@pytest.mark.parametrize("text", [LIVE, f"a={LIVE}", LIVE.replace("_", "%5F"), f"x {LIVE.replace('sk', 'rk')} y"])
def test_a_live_key_is_found_anywhere(text: str) -> None:
    assert is_live(text)
    with pytest.raises(UnauthorizedError) as refused:
        refuse_live(text)
    assert "abc123" not in str(refused.value.body)


def test_a_live_key_is_refused_in_any_header_and_in_the_query() -> None:
    for header in ({"authorization": f"Bearer {LIVE}"}, {"x": LIVE}):
        with pytest.raises(UnauthorizedError):
            check_headers(Headers(HOST | header), "")
    with pytest.raises(UnauthorizedError):
        check_headers(Headers(HOST), f"key={LIVE}")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.0.0.1"])
def test_requests_to_this_machine_are_accepted(host: str) -> None:
    check_headers(Headers({"host": host}), "")


@pytest.mark.parametrize("host", ["rebound.example.org", "example.org:8000", "", "10.0.0.1"])
def test_requests_to_another_host_are_refused(host: str) -> None:
    with pytest.raises(SandboxError, match=r"127\.0\.0\.1"):
        check_headers(Headers({"host": host}), "")


def _sent(**named: str) -> Headers:
    return Headers({"host": "127.0.0.1:8500"} | {name.replace("_", "-"): value for name, value in named.items()})


def test_forms_of_its_own_pages_and_of_programs_are_accepted() -> None:
    check_same_site("GET", _sent(sec_fetch_site="cross-site", origin="http://evil.test"))
    check_same_site("POST", _sent())
    check_same_site("POST", _sent(origin="http://127.0.0.1:8500"))
    check_same_site("POST", _sent(origin="http://127.0.0.1:8500", sec_fetch_site="same-origin"))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8500"},
        {"origin": "http://evil.test"},
        {"origin": "http://127.0.0.1:8501"},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1:8500.evil.test"},
        {"origin": "https://127.0.0.1:8500"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(SandboxError):
            check_same_site(method, _sent(**headers))


def test_the_key_is_sent_as_bearer_token() -> None:
    check_key("Bearer sk_test_1", "sk_test_1")


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer sk_test_2", "Basic c2tfdGVzdF8xOg==", "Digest sk_test_1", "Bearer sk_test_ü"]
)
def test_another_key_is_refused_and_not_repeated(sent: str | None) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        check_key(sent, "sk_test_1")
    assert refused.value.status == 401
    assert "sk_test_" not in refused.value.message
