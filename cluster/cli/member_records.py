"""`fitmonitor member visits` and `ledger`: what is kept of a member."""

from typing import Any

from cluster.cli.api.connection import connected
from cluster.cli.api.lookup import the_user
from cluster.cli.api.options import AsJson, Limit, MemberArgument
from cluster.cli.output import moment, print_list


def visits(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """Show a member's visits, the newest first.

    Example: fitmonitor member visits ada.albers@demo.example --limit 10
    """
    with connected() as api:
        found = api.all(f"/users/{the_user(api, member)['id']}/visits", limit)
    print_list(
        found.items,
        lambda visit: (
            *(visit["id"], visit["gym_id"], moment(visit["entered_at"]), moment(visit["left_at"]) or "inside"),
            visit["inferred"] and f"inferred: {visit['inferred']}",
        ),
        as_json=as_json,
        more=found.more,
    )


def ledger(member: MemberArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """Show every change of a member's memberships, the newest first.

    Example: fitmonitor member ledger ada.albers@demo.example
    """
    with connected() as api:
        found = api.all(f"/members/{the_user(api, member)['id']}/ledger", limit)
    print_list(
        found.items,
        lambda row: (row["booked_on"], row["kind"], f"{row['days']:+}", _period(row), row["money"], row["reason"]),
        as_json=as_json,
        more=found.more,
    )


def _period(row: Any) -> str:  # noqa: ANN401 - a document
    return f"{row['from_day']} to {row['until_day']}" if row["from_day"] else ""
