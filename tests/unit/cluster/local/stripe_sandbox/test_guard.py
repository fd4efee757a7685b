"""What a sandbox must never meet."""

import base64

import pytest

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
HOST = (b"host", b"127.0.0.1:8000")


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1/x", "http://localhost:1/x", "http://[::1]:80/x", "http://127.9.9.9"]
)
def test_it_starts_with_a_test_key_and_webhooks_that_stay_here(url: str) -> None:
    check_environment({**SAFE, "FITMONITOR_STRIPE__WEBHOOK_URL": url})


@pytest.mark.parametrize(
    "name", ["FITMONITOR_STRIPE__API_KEY", "FITMONITOR_STRIPE__OTHER", "FITMONITOR_STRIPE", "STRIPE_SECRET_KEY"]
)
@pytest.mark.parametrize("key", [LIVE, LIVE.replace("sk", "rk"), f" {LIVE}", f'{{"api_key": "{LIVE}"}}'])
def test_it_does_not_start_beside_a_live_key_and_does_not_tell_it(name: str, key: str) -> None:
    with pytest.raises(UnsafeStartError, match=name) as refused:
        check_environment({**SAFE, name: key})
    assert "abc123" not in str(refused.value)


def test_a_live_key_elsewhere_is_nobodys_business() -> None:
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
    basic = base64.b64encode(f"{LIVE}:".encode())
    for header in (
        (b"authorization", b"Bearer " + LIVE.encode()),
        (b"authorization", b"Basic " + basic),
        (b"x", LIVE.encode()),
    ):
        with pytest.raises(UnauthorizedError):
            check_headers([HOST, header], b"")
    with pytest.raises(UnauthorizedError):
        check_headers([HOST], f"key={LIVE}".encode())


@pytest.mark.parametrize("host", [b"127.0.0.1:8000", b"localhost:8000", b"[::1]:8000", b"127.0.0.1"])
def test_it_answers_to_its_own_names(host: bytes) -> None:
    check_headers([(b"host", host)], b"")


@pytest.mark.parametrize("host", [b"rebound.example.org", b"example.org:8000", b"", b"10.0.0.1"])
def test_it_does_not_answer_under_another_name(host: bytes) -> None:
    with pytest.raises(SandboxError, match=r"127\.0\.0\.1"):
        check_headers([(b"host", host)], b"")


def _sent(**named: str) -> list[tuple[bytes, bytes]]:
    headers = {"host": "127.0.0.1:8500"} | {name.replace("_", "-"): value for name, value in named.items()}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def test_its_own_pages_and_programs_press_buttons() -> None:
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
def test_no_page_of_another_site_presses_a_button(headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(SandboxError):
            check_same_site(method, _sent(**headers))


def test_the_key_is_shown_as_bearer_or_as_basic() -> None:
    check_key("Bearer sk_test_1", "sk_test_1")
    check_key("Basic " + base64.b64encode(b"sk_test_1:").decode(), "sk_test_1")


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", "Bearer sk_test_2", "Basic !!", "Digest sk_test_1", "Bearer sk_test_ü"]
)
def test_another_key_is_refused_and_not_told_back(shown: str | None) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        check_key(shown, "sk_test_1")
    assert refused.value.status == 401
    assert "sk_test_" not in refused.value.message
