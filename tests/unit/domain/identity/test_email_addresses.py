"""The one form of an address, and which addresses can be used for mail and for receipts."""

import pickle
from unicodedata import normalize
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cluster.local.stripe_sandbox.parameters import Email
from domain.identity.email_addresses import (
    LONGEST,
    CollidingAddressesError,
    normal_address,
    refuse_collisions,
    repaired_address,
    usable_address,
)
from domain.identity.ports import Mail
from integrations.mail import build_message


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
        *("jürgen@example.de", "mia@example.o", "mia@-example.org", "mia@example-.org"),
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
        assert TypeAdapter(Email).validate_python(address) == address
        assert build_message(Mail(address, "", ""), "gym@example.org")["To"] == address
        assert usable_address(address) == address


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Mia@Example.ORG", "mia@example.org"),
        ("\u3000mia@example.org\u2003\n", "mia@example.org"),
        ("MU\u0308LLER@example.org", "m\u00fcller@example.org"),
        ("m\u00fcller@example.org", "m\u00fcller@example.org"),
        ("mia@B\u00fccher.example", "mia@xn--bcher-kva.example"),
        ("mia@bu\u0308cher.example", "mia@xn--bcher-kva.example"),
        ("mia@XN--BCHER-KVA.example", "mia@xn--bcher-kva.example"),
        ("mia@\uff45\uff58\uff41mple\u3002org", "mia@example.org"),  # full-width letters, an ideographic full stop
        ("mia@fa\u00df.example", "mia@xn--fa-hia.example"),  # another domain than fass.example: IDNA 2008
        ("\u1e9e@example.org", "\u00df@example.org"),
        ("\u0130@example.org", "i\u0307@example.org"),
        ("mia@r3---sn.example", "mia@r3---sn.example"),
        ("mia@localhost", "mia@localhost"),
    ],
)
def test_an_address_has_one_form(typed: str, kept: str) -> None:
    assert normal_address(typed) == kept


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("m\u00fcller@example.org", "muller@example.org"),
        ("stra\u00dfe@example.org", "strasse@example.org"),
        ("\u0131@example.org", "i@example.org"),
        ("mia@fa\u00df.example", "mia@fass.example"),
        (
            "\uff4dia@example.org",
            "mia@example.org",
        ),  # a full-width letter is another mailbox; nobody's mail goes astray
    ],
)
def test_addresses_that_only_look_alike_stay_two(one: str, other: str) -> None:
    assert normal_address(one) != normal_address(other)


_UNSEEN = (
    "\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u034f\u061c\u115f\u180e\u202e\u2066"
    "\u3164\ufe0f\uffa0\U000e0041\U000e0100"
)


@pytest.mark.parametrize("unseen", [*_UNSEEN, *" \t\n\r\x00\x1f\x7f\x85\u00a0\u2028\u2800\u3000\ud800\ue000\uffff"])
def test_what_cannot_be_seen_is_refused_within_an_address_and_removed_from_what_is_kept(unseen: str) -> None:
    for typed in (f"mi{unseen}a@example.org", f"mia@exa{unseen}mple.org"):
        with pytest.raises(ValueError, match=f"U\\+{ord(unseen):04X}"):
            normal_address(typed)
        assert repaired_address(typed) == "mia@example.org"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "mia",
            "@example.org",
            "mia@",
            "mia@@example.org",
            "mia@example..org",
            "mia@example.org.",
            "mia@exa_mple.org",
        ),
        *("mia@[127.0.0.1]", '"mia"@example.org', "mia@xn--.example", "mia@xn--a\u00fc.example", "mia@-example.org"),
        *("m" * 65 + "@example.org", "\u0130" * 22 + "@example.org", "\u00fc" * 33 + "@example.org"),
        *(f"mia@{'x.' * 130}org", "mia@" + "\u00fc" * 60 + ".org", "mia@" + "\u00fc" * 100_000 + ".org", "m" * 100_000),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        normal_address(text)
    assert not text or text not in str(refused.value).replace("such as mia@example.org", "")
    assert refused.value.__suppress_context__ or refused.value.__context__ is None, (
        "the library's words hold the domain"
    )


@given(st.text(max_size=80), st.text(max_size=80))
def test_the_form_of_an_address_is_its_own_form_and_fits_where_it_is_kept(local_part: str, domain: str) -> None:
    for text in (f"{local_part}@{domain}", f"{local_part}@example.org", f"mia@{domain}.org"):
        kept = repaired_address(text)
        if kept is not None:
            assert normal_address(kept) == kept
            assert len(kept.encode()) <= LONGEST
            assert usable_address(kept) in {None, kept}


@given(st.text(min_size=1, max_size=20))
def test_case_and_unicode_form_make_no_difference_to_an_address(name: str) -> None:
    address = repaired_address(f"{name}@example.org")
    if address is not None:
        for form in ("NFC", "NFD"):
            assert repaired_address(normalize(form, f"{name}@EXAMPLE.org")) == address


def test_accounts_that_would_share_an_address_are_named_by_their_ids_alone() -> None:
    one, two, three = (UUID(int=number) for number in (1, 2, 3))
    refuse_collisions([(one, "mia@example.org"), (two, "eve@example.org")])
    with pytest.raises(CollidingAddressesError) as refused:
        refuse_collisions([(two, "mia@example.org"), (three, "eve@example.org"), (one, "mia@example.org")])
    assert f"{one}, {two}" in str(refused.value)
    assert "--release-address" in str(refused.value)
    assert str(three) not in str(refused.value)
    assert "mia@" not in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # noqa: S301 - our own
