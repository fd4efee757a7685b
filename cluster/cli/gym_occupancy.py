"""`fitmonitor gym occupancy`, `inside`, `head-count` and `head-counts`: who is inside a gym."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.api.connection import connected
from cluster.cli.api.files import write_bytes
from cluster.cli.api.lookup import find_gym
from cluster.cli.api.options import AsJson, GymArgument, Limit
from cluster.cli.output import parsed_time, print_json, print_list, print_plain, print_result
from domain.ids import new_id


def occupancy(gym: GymArgument, *, as_json: AsJson = False) -> None:
    """Show how many people are inside, and the capacity.

    Example: fitmonitor gym occupancy Riverside
    """
    with connected() as api:
        found = api.get(f"/gyms/{find_gym(api, gym)['id']}/occupancy")
    print_result(found, f"{found['occupancy']} of {found['capacity']} inside", as_json=as_json)


def inside(
    gym: GymArgument,
    limit: Limit = None,
    pdf: Annotated[
        Path | None, typer.Option(help="Write the roll call as PDF to this file instead; - is stdout.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List who is inside, in order of entry. A visit that a head count added has no name.

    Example: fitmonitor gym inside Riverside --pdf roll-call.pdf
    """
    with connected() as api:
        path = f"/gyms/{find_gym(api, gym)['id']}/inside"
        if pdf is not None:
            write_bytes(pdf, api.content(f"{path}.pdf"))
            return
        found = api.all(path, limit)
    print_list(
        found.items,
        {
            "id": lambda visit: visit["member_id"] or "-",
            "name": lambda visit: visit["name"] or "(counted)",
            "since": lambda visit: parsed_time(visit["since"]),
            "gate": "gate_name",
        },
        as_json=as_json,
        more=found.more,
    )


def head_count(
    gym: GymArgument,
    counted: Annotated[int, typer.Argument(min=0, help="The number of people seen inside.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why somebody counted; kept with the count.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Correct who is inside to a head count: the oldest visits end, or visits without a name are added.

    Example: fitmonitor gym head-count Riverside 17 --reason "evening round"
    """
    body = {"counted": counted, "reason": reason, "count_id": str(new_id())}
    with connected() as api:
        done = api.post(f"/gyms/{find_gym(api, gym)['id']}/head-counts", body, repeatable=True)
    if as_json:
        print_json(done)
    else:
        changed = f"visits ended: {done['closed']}, visits without a name added: {done['added']}"
        print_plain(f"{done['occupancy']} of {done['capacity']} inside, {done['before']} before; {changed}")


def head_counts(gym: GymArgument, limit: Limit = None, *, as_json: AsJson = False) -> None:
    """List head counts, newest first: when, by whom, the number before and after, why.

    Example: fitmonitor gym head-counts Riverside --limit 10
    """
    with connected() as api:
        found = api.all(f"/gyms/{find_gym(api, gym)['id']}/head-counts", limit)
    print_list(
        found.items,
        {
            "id": "id",
            "counted": lambda count: parsed_time(count["counted_at"]),
            "by": lambda count: count["by_name"] or count["by_id"],
            "before": "before",
            "after": "counted",
            "reason": "reason",
        },
        as_json=as_json,
        more=found.more,
    )
