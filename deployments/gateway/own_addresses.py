"""Where a checkout may lead: to pages of this installation, and of origins that were allowed."""

from urllib.parse import urlsplit

from deployments.gateway.problems import ApiProblem, Fault
from integrations.settings import ApiSettings

SUCCESS = "/api/checkouts/success?order={ORDER_ID}&session_id={CHECKOUT_SESSION_ID}"
CANCELLED = "/api/checkouts/cancelled?order={ORDER_ID}"


def own_address(settings: ApiSettings, wanted: str | None, usual: str, field: str) -> str:
    """An address to lead to.

    Args:
        wanted: by the client; None: the usual one.
        usual: a path of ours.
        field: of the request that it is in.

    Raises:
        ApiProblem: `foreign_url`: it leads elsewhere, or is none.
    """
    if wanted is None:
        return f"{settings.public_url}{usual}"
    try:
        parts = urlsplit(wanted)
        origin, named = f"{parts.scheme}://{parts.netloc}", parts.hostname
    except ValueError:
        origin, named = "", None
    allowed = {settings.public_url, *(each.rstrip("/") for each in settings.allowed_origins if each != "*")}
    plain = wanted.isprintable() and " " not in wanted and "\\" not in wanted
    if not named or not plain or origin not in allowed:
        raise ApiProblem(
            "foreign_url",
            "A checkout leads back to pages of this installation or of an allowed origin only.",
            faults=[Fault(field, "is not an address of ours")],
        )
    return wanted
