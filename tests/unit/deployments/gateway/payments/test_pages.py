"""What somebody sees who comes back from the checkout."""

from datetime import date
from html.parser import HTMLParser

import pytest

from deployments.gateway.payments.pages import PAGE_POLICY, cancel_page, success_page
from domain.payments.model import OrderState
from tests.web_pages import assert_keeps_policy

HOME = "https://gym.example.org/?a=1&b=2"
ENDS_ON = date(2026, 12, 31)
EVERY_STATE = [*OrderState, None]


class _Seen(HTMLParser):
    """What of a page is seen, and which elements it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._in = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_data(self, data: str) -> None:
        self.texts[self._in] = self.texts.get(self._in, "") + data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _seen(state: OrderState | None, plan: str | None = "Gold", ends_on: date | None = ENDS_ON) -> _Seen:
    return _Seen(success_page(state, plan, ends_on, HOME))


def test_who_has_paid_is_in_until_the_last_day_of_the_membership() -> None:
    seen = _seen(OrderState.PAID)
    assert seen.texts["h1"] == "Payment received"
    assert seen.texts["p"] == "Your membership (Gold) runs until 30 December 2026."


def test_unknown_values_are_not_shown() -> None:
    assert _seen(OrderState.PAID, None, None).texts["p"] == "Thank you."


def test_a_payment_on_its_way_may_be_left_alone() -> None:
    seen = _seen(OrderState.PROCESSING)
    assert seen.texts["h1"] == "Payment in progress"
    assert seen.texts["p"].startswith("It can take some days. You can close this page.")


@pytest.mark.parametrize("state", EVERY_STATE)
def test_only_the_page_of_an_open_order_looks_again(state: OrderState | None) -> None:
    again = [meta["content"] for meta in _seen(state).of("meta") if meta.get("http-equiv") == "refresh"]
    assert again == (["5"] if state is OrderState.OPEN else [])


@pytest.mark.parametrize("state", [state for state in EVERY_STATE if state is not OrderState.PAID])
def test_nobody_is_in_who_has_not_paid(state: OrderState | None) -> None:
    page = success_page(state, "Gold", ENDS_ON, HOME)
    assert "Payment received" not in page
    assert "2026" not in page


@pytest.mark.parametrize("state", [OrderState.FAILED, OrderState.EXPIRED])
def test_after_a_failed_payment_another_way_to_pay_is_shown(state: OrderState) -> None:
    assert "at the front desk" in _seen(state).texts["p"]


def test_every_state_has_its_own_heading() -> None:
    headings = {state: _seen(state).texts["h1"] for state in EVERY_STATE}
    closed = {headings.pop(state) for state in (OrderState.REFUNDED, OrderState.LOST, OrderState.REVERSED)}
    assert len(closed) == 1
    assert len({*headings.values(), *closed}) == len(headings) + 1


@pytest.mark.parametrize("plan", ["Gold", None])
def test_turning_back_costs_nothing(plan: str | None) -> None:
    seen = _Seen(cancel_page(plan, HOME))
    assert seen.texts["h1"] == "Checkout cancelled"
    assert (plan or "a plan") in seen.texts["p"]


PAGES = [*(success_page(state, "Gold", ENDS_ON, HOME) for state in EVERY_STATE), cancel_page("Gold", HOME)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read_by_everybody(page: str) -> None:
    seen = _Seen(page)
    assert seen.of("html") == [{"lang": "en"}]
    assert len(seen.of("main")) == len(seen.of("h1")) == len(seen.of("title")) == 1
    assert seen.texts["title"].startswith(seen.texts["h1"])
    assert [sign.get("aria-hidden") for sign in seen.of("svg")] == ["true"]
    assert [link["href"] for link in seen.of("a")] == [HOME]
    assert not seen.of("script")


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_allows_the_page_its_style_and_nothing_else(page: str) -> None:
    assert_keeps_policy(page, PAGE_POLICY)


@pytest.mark.parametrize("state", [OrderState.PAID, OrderState.FAILED, OrderState.EXPIRED, OrderState.REFUNDED])
def test_a_plan_s_name_stays_text(state: OrderState) -> None:
    name = "<script>alert('&')</script>"
    assert name in _seen(state, name).texts["p"]
    assert not _seen(state, name).of("script")
    assert not _Seen(cancel_page(name, HOME)).of("script")
