"""The overview: all sessions and payments, with buttons for what can happen next, and the webhooks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from cluster.local.stripe_sandbox import disputes
from cluster.local.stripe_sandbox.layout import note, shown
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.payments import CHARGE, INTENT
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.sessions import SESSION
from cluster.local.stripe_sandbox.store import Body
from cluster.local.stripe_sandbox.webhooks import Webhooks
from domain.currencies import currency_of

_SHOWN = 50
_DELIVERIES = 30
_GOOD = frozenset({"paid", "won", "succeeded", "delivered", "warning_closed"})
_BAD = frozenset({"expired", "lost", "failed", "requires_payment_method", "dropped", "needs_response"})


def overview_page(sandbox: Sandbox, webhooks: Webhooks, after: str | None, problem: str | None) -> str:
    """Render the body of the page.

    Args:
        sandbox: what is shown.
        webhooks: their deliveries.
        after: id of the session before the first one of this page.
        problem: why the pressed button has failed, if it has.
    """
    sessions = sandbox.store.newest(SESSION, _SHOWN + 1, after)
    cards = "".join(_card(sandbox, session) for session in sessions[:_SHOWN])
    older = ""
    if len(sessions) > _SHOWN:
        older = f'<p><a href="/?after={escape(sessions[_SHOWN - 1]["id"])}">Older</a></p>'
    empty = "" if sessions else '<p class="soft">There are no sessions yet. A checkout of FIT Monitor opens one.</p>'
    return (
        f'<div class="head"><h1>Sessions and payments</h1><p><a href="/">Refresh</a></p></div>'
        f"{note(problem, 'bad') if problem else ''}{cards}{empty}{older}{_webhooks(sandbox, webhooks)}"
    )


def _card(sandbox: Sandbox, session: Body) -> str:
    amount = shown(session["amount_total"], session["currency"])
    marks = [_mark(session["status"])]
    buttons = []
    if session["status"] == "open":
        buttons += [f'<a class="button" href="/pay/{session["id"]}">Open checkout</a>']
        buttons += [_button(f"sessions/{session['id']}/expire", "Expire")]
    else:
        marks += [_mark(session["payment_status"])] if session["status"] == "complete" else []
    more = _payment(sandbox, session, marks, buttons) if session["payment_intent"] else ""
    reference = session["client_reference_id"]
    order = f"<br>Order <code>{escape(reference)}</code>" if reference else ""
    return (
        f'<section class="sheet" aria-label="Session of {amount}"><div class="head"><strong>{amount}</strong>'
        f"<span>{' '.join(marks)}</span></div>"
        f'<p class="soft">{_moment(session["created"])}<br><code>{session["id"]}</code>{order}</p>'
        f'{more}<div class="row">{"".join(buttons)}</div></section>'
    )


def _payment(sandbox: Sandbox, session: Body, marks: list[str], buttons: list[str]) -> str:
    intent = sandbox.store.get(INTENT, session["payment_intent"]).body
    charge = sandbox.store.get(CHARGE, intent["latest_charge"]).body
    if intent["status"] != "succeeded":
        marks.append(_mark(intent["status"]))
    if intent["status"] == "processing":
        buttons += [
            _button(f"sessions/{session['id']}/succeed", "Payment succeeds"),
            _button(f"sessions/{session['id']}/payment-failed", "Payment fails"),
        ]
    lines = [f"Payment <code>{intent['id']}</code>, charge <code>{charge['id']}</code>"]
    if charge["amount_refunded"]:
        lines.append(f"Refunded {shown(charge['amount_refunded'], charge['currency'])}")
    found = disputes.of_payment(sandbox, intent["id"])
    for dispute in found:
        lines.append(f"Dispute <code>{dispute['id']}</code> {_mark(dispute['status'])}")
        buttons += _of_dispute(dispute)
    if charge["paid"] and not charge["refunded"]:
        if all(dispute["is_charge_refundable"] for dispute in found):
            buttons += _of_refund(intent)
        if not any(map(disputes.is_open, found)):
            path = f"payment-intents/{intent['id']}/dispute"
            buttons += [_button(path, "Dispute"), _button(path, "Open an inquiry", {"inquiry": "true"})]
    return f"<p>{'<br>'.join(lines)}</p>"


def _of_dispute(dispute: Body) -> list[str]:
    path = f"disputes/{dispute['id']}"
    if dispute["status"] == "needs_response":
        won = _button(f"{path}/close", "Win the dispute", {"status": "won"})
        return [won, _button(f"{path}/close", "Lose the dispute", {"status": "lost"})]
    if dispute["status"] == "warning_needs_response":
        return [_button(f"{path}/close", "Close the inquiry"), _button(f"{path}/escalate", "Escalate the inquiry")]
    return []


def _of_refund(intent: Body) -> list[str]:
    path = f"/actions/payment-intents/{intent['id']}/refund"
    places = currency_of(intent["currency"].upper()).decimals
    step = f"0.{'0' * (places - 1)}1" if places else "1"
    part = (
        f'<form method="post" action="{path}"><label class="unseen" for="{intent["id"]}">Part to refund, in'
        f' {intent["currency"].upper()}</label><input id="{intent["id"]}" name="amount" inputmode="decimal"'
        f' placeholder="{step}" required><button>Refund a part</button></form>'
    )
    return [_button(f"payment-intents/{intent['id']}/refund", "Refund all"), part]


def _button(path: str, label: str, fields: Mapping[str, str] | None = None) -> str:
    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in (fields or {}).items())
    return f'<form method="post" action="/actions/{path}">{hidden}<button>{label}</button></form>'


def _webhooks(sandbox: Sandbox, webhooks: Webhooks) -> str:
    counts = ", ".join(f"{number} {name}" for name, number in webhooks.counts().items())
    rows = "".join(map(_delivery, webhooks.latest(_DELIVERIES)))
    table = (
        '<div class="scroll"><table><caption class="unseen">Newest deliveries</caption><thead><tr><th>Event</th>'
        "<th>Id</th><th>State</th><th>Attempts</th><th>Answer</th><th>Resend</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
    url = sandbox.secrets.webhook_url
    target = f"to <code>{escape(url)}</code>" if url else "nowhere, because no address is set"
    return (
        f'<h2>Webhooks</h2><section class="sheet"><p>Sent {target}. {counts}.<br>'
        f"Switches: {_changed(sandbox.panel.switches)}. Faults: {_changed(sandbox.panel.faults)}.</p>"
        f"{table if rows else ''}</section>"
    )


def _delivery(row: Mapping[str, Any]) -> str:
    again = _button(f"events/{row['event']}/resend", f'Resend<span class="unseen"> {escape(row["type"])}</span>')
    return (
        f"<tr><td>{escape(row['type'])}</td><td><code>{row['event']}</code></td><td>{_mark(row['state'])}</td>"
        f"<td>{row['attempts']}</td><td>{escape(row['answer'])}</td><td>{again}</td></tr>"
    )


def _changed(settings: Parameters) -> str:
    changed = settings.model_dump(exclude_defaults=True)
    return escape(", ".join(f"{name} {value}" for name, value in changed.items())) or "none"


def _mark(status: str) -> str:
    kind = "good" if status in _GOOD else "bad" if status in _BAD else "soft"
    return f'<span class="mark {kind}">{escape(status.replace("_", " "))}</span>'


def _moment(created: int) -> str:
    moment = datetime.fromtimestamp(created, UTC)
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M:%S} UTC</time>'
