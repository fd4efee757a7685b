"""Which addresses of an identity provider can be used for mail and for receipts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.local.stripe_sandbox.parameters import Parameters
from domain.identity.addresses import usable_address
from domain.identity.ports import Mail
from integrations.mail import message_of


@pytest.mark.parametrize(
    "address",
    [
        *("mia@example.org", "m@x.de", "mia.moll+gym@sub.example.co.uk", "o'hara@example.ie", "x_y-z@a-b.example"),
        *("mia@xn--bcher-kva.example", "mia@bücher.example".encode("idna").decode(), f"{'m' * 64}@example.org"),
    ],
)
def test_an_address_is_used(address: str) -> None:
    assert usable_address(address) == address
    assert usable_address(f" {address.upper()} ") == address


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", " ", "facebook_10158000000000000", "google_1", "signinwithapple_000123.abc", "mia"),
        *("mia@localhost", "mia@gym.localhost", "mia@127.0.0.1", "mia@[127.0.0.1]", "deleted-1@deleted.invalid"),
        *("@example.org", "mia@", "mia@@example.org", "mia@example..org", "mia@.example.org", "mia@example.org."),
        *(".mia@example.org", "mia.@example.org", "m..m@example.org", "mia moll@example.org", "mia@exa mple.org"),
        *("mia@example.org, eve@example.org", "Mia <mia@example.org>", "mia@example.org\nBcc: eve@example.org"),
        *("jürgen@example.de", "mia@bücher.example", "mia@example.o", "mia@-example.org", "mia@example-.org"),
        *(
            f"{'m' * 65}@example.org",
            f"mia@{'x.' * 130}org",
            "mia@example.1",
            "\ud800@example.org",
            "mia@exa\x00mple.org",
        ),
    ],
)
def test_what_no_mail_reaches_is_no_address(text: str | None) -> None:
    assert usable_address(text) is None


@given(st.emails() | st.from_regex(r"\A[a-z.@<>\\\"-]{1,20}@[a-z.-]{1,20}\Z"))
def test_an_address_that_is_used_is_taken_by_the_payment_provider_and_by_mail(text: str) -> None:
    address = usable_address(text)
    if address is not None:
        assert Parameters({"customer_email": address}).email("customer_email") == address
        assert message_of(Mail(address, "", ""), "gym@example.org")["To"] == address
        assert usable_address(address) == address
