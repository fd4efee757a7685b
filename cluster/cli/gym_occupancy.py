"""`fitmonitor gym occupancy`, `inside`, `head-count`, `head-counts`: who is inside."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.files import write_bytes
from cluster.cli.api.lookup import the_gym
from cluster.cli.api.options import AsJson, GymArgument, Limit
from cluster.cli.output import moment, print_json, print_list, print_plain
from domain.ids import new_id


def occupancy(gym: GymArgument, *, as_json: AsJson = False) -> None:
    """Show how many are inside, and how many may be.

    Example: fitmonitor gym occupancy Riverside
    """
    with connected() as api:
        found = api.get(f"/gyms/{the_gym(api, gym)['id']}/occupancy")
    if as_json:
        print_json(found)
    else:
        print_plain(f"{found['occupancy']} of {found['capacity']} inside")


def inside(
    gym: GymArgument,
    limit: Limit = None,
    pdf: Annotated[
        Path | None, typer.Option(help="Write the roll call to this file instead; - is standard output.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show who is inside, in the order in which they came.

    Example: fitmonitor gym inside Riverside --pdf roll-call.pdf
    """
    with connected() as api:
        path = f"/gyms/{the_gym(api, gym)['id']}/inside"
        if pdf is not None:
            write_bytes(pdf, api.content(f"{path}.pdf"))
            return
        found = api.all(path, limit)
    print_list(
        found.items,
        lambda one: (one["member_id"] or "-", one["name"] or "(counted)", moment(one["since"]), one["gate_name"]),
        as_json=as_json,
        more=found.more,
    )


def head_count(
    gym: GymArgument,
    counted: Annotated[int, typer.Argument(min=0, help="How many were seen.", show_default=False)],
    reason: Annotated[str, typer.Option(help="What led to the count.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Make who is inside agree with who was seen: the oldest visits end, or visits without a name begin.

    Example: fitmonitor gym head-count Riverside 17 --reason "evening round"
    """
    body = {"counted": counted, "reason": reason, "count_id": str(new_id())}
    with connected() as api:
        done = api.post(f"/gyms/{the_gym(api, gym)['id']}/head-counts", body, again=True)
    if as_json:
        print_json(done)
    else:
        changed = f"{done['closed']} visits ended, {done['added']} without a name added"
        print_plain(f"{done['occupancy']} of {done['capacity']} inside; it was {done['before']}: {changed}.")


def head_counts(gym: GymArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """Show who counted how many, when and why, the newest first.

    Example: fitmonitor gym head-counts Riverside --limit 10
    """
    with connected() as api:
        found = api.all(f"/gyms/{the_gym(api, gym)['id']}/head-counts", limit)
    print_list(
        found.items,
        lambda one: (
            *(one["id"], moment(one["counted_at"]), one["by_name"] or one["by_id"]),
            *(f"{one['before']} -> {one['counted']}", one["reason"]),
        ),
        as_json=as_json,
        more=found.more,
    )
