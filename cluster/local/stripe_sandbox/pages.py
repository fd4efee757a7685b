"""The sandbox's pages: one to pay at, and one that shows what there is and lets things happen to it."""

from html import escape

from cluster.local.stripe_sandbox.store import Json
from domain.money import Money

_STYLE = """
:root{color-scheme:light dark;--line:#8885;--accent:#5b50e6}
*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;margin:0}
.flag{background:#c2410c;color:#fff;text-align:center;padding:.4rem;font-weight:600}
main{max-width:26rem;margin:2rem auto;padding:0 1rem}main.wide{max-width:72rem}
h1{font-size:1.3rem;margin:.2rem 0}.sum{font-size:2.2rem;font-weight:700;margin:.2rem 0 1.2rem}
label{display:block;margin:.6rem 0}input{width:100%;padding:.55rem;border:1px solid var(--line);border-radius:.4rem;
font:inherit;background:transparent;color:inherit}
button{font:inherit;padding:.6rem 1rem;border:1px solid var(--line);border-radius:.4rem;background:transparent;
color:inherit;cursor:pointer}button.main{width:100%;background:var(--accent);color:#fff;border:0;font-weight:600}
.row{display:flex;gap:.5rem;margin:.6rem 0;flex-wrap:wrap}.row form{flex:1}.row button{width:100%}
[role=alert]{border:1px solid #dc2626;border-radius:.4rem;padding:.6rem;color:#dc2626}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.4rem .6rem .4rem 0;border-top:1px solid var(--line);vertical-align:top}
td form{display:inline}td button{padding:.2rem .5rem;margin:.1rem}.scroll{overflow-x:auto}
code{font-size:.85em}small{opacity:.75}
"""


def pay_page(session: Json, wrong: str = "") -> str:
    """The page at which a session is paid."""
    what = escape(", ".join(item["name"] for item in session["_items"]))
    total = escape(str(Money(session["amount_total"], session["currency"].upper())))
    if session["status"] != "open":
        told = {"complete": "This is paid already.", "expired": "This page has expired; nothing was paid."}
        body = (
            f'<p role="status">{told[session["status"]]}</p><p><a href="{escape(session["success_url"])}">Back</a></p>'
        )
        return _page("Checkout", f"<h1>{what}</h1><p class=sum>{total}</p>{body}")
    alert = f'<p role="alert">{escape(wrong)}</p>' if wrong else ""
    email = escape(session["customer_email"] or "")
    fields = (
        f'<label>E-mail<input name="email" type="email" autocomplete="email" value="{email}">'
        '</label><label>Name on the invoice<input name="name" autocomplete="name"></label>'
        '<label>Street<input name="line1" autocomplete="street-address"></label>'
        '<div class=row><label>Postcode<input name="postal_code" autocomplete="postal-code"></label>'
        '<label>Town<input name="city" autocomplete="address-level2"></label></div>'
    )
    act = f"/pay/{escape(session['id'])}"
    others = "".join(
        f'<form method="post" action="{act}/{way}"><button>{name}</button></form>'
        for way, name in (("decline", "Card declined"), ("later", "Pay later"), ("cancel", "Cancel"))
    )
    return _page(
        "Checkout",
        f'{alert}<h1>{what}</h1><p class=sum>{total}</p><form method="post" action="{act}/pay">{fields}'
        f'<button class="main">Pay {total}</button></form><div class=row>{others}</div>'
        "<p><small>“Pay later” is a method that takes days: let it arrive, or fail, on the sandbox's own page.</small>",
    )


def overview(sessions: list[Json], intents: dict[str, list[Json]], waiting: list[tuple[str, int, str | None]]) -> str:
    """All sessions, newest first.

    Args:
        intents: charges, refunds and disputes of each payment.
        waiting: webhooks that have not arrived.
    """
    rows = "".join(_row(session, intents.get(session["payment_intent"] or "", [])) for session in sessions)
    late = "".join(
        f"<li><code>{escape(e)}</code>, tried {n} times: {escape(why or 'not yet')}</li>" for e, n, why in waiting
    )
    return _page(
        "Sessions",
        "<h1>Checkout sessions</h1>"
        + (f"<p>Webhooks on their way:</p><ul>{late}</ul>" if late else "<p>All webhooks have arrived.</p>")
        + '<div class="scroll"><table><thead><tr><th>Session</th><th>Amount</th><th>State</th><th>Payment</th>'
        f"<th></th></tr></thead><tbody>{rows or '<tr><td>none yet</td></tr>'}</tbody></table></div>",
        wide=True,
    )


def _row(session: Json, about: list[Json]) -> str:
    total = escape(str(Money(session["amount_total"], session["currency"].upper())))
    acts: list[tuple[str, str]] = []
    intent = session["payment_intent"]
    if session["status"] == "open":
        acts = [(f"/pay/{session['id']}/expire", "expire")]
    elif session["payment_status"] == "unpaid" and session["status"] == "complete":
        acts = [(f"/pay/{session['id']}/succeed", "arrives"), (f"/pay/{session['id']}/payment-failed", "fails")]
    elif intent:
        acts = [(f"/payments/{intent}/refund", "refund"), (f"/payments/{intent}/half", "refund half")]
        acts.append((f"/payments/{intent}/dispute", "dispute"))
    notes = []
    for each in about:
        if each["object"] == "charge":
            notes.append(f"refunded {each['amount_refunded']} of {each['amount']}")
        elif each["object"] == "dispute":
            notes.append(f"dispute {each['status']}")
            if each["status"].endswith("needs_response"):
                acts += [(f"/disputes/{each['id']}/won", "we win"), (f"/disputes/{each['id']}/lost", "we lose")]
    buttons = "".join(
        f'<form method="post" action="{escape(path)}"><button>{escape(name)}</button></form>' for path, name in acts
    )
    link = f'<a href="/pay/{escape(session["id"])}"><code>{escape(session["id"][:22])}…</code></a>'
    state = f"{session['status']}, {session['payment_status']}"
    cells = (link, total, escape(state), escape("; ".join(notes)), buttons)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _page(title: str, body: str, *, wide: bool = False) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · sandbox</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>'
        '<div class="flag">SANDBOX: no money moves here</div>'
        f"<main{' class=wide' if wide else ''}>{body}</main></body></html>"
    )
