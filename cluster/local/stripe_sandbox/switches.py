"""What can be switched while the sandbox runs: how webhooks go astray, and how the API fails."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Switches(BaseModel):
    """How webhooks are sent.

    Args:
        repeat: how many times each beyond the first.
        reorder: so many are held back and sent the other way round.
        delay_s: before the first try.
        drop: so many of the next are not sent at all; -1: none is.
        paused: none is sent until this is off again.
        api_version: what events say of themselves.
    """

    model_config = ConfigDict(extra="forbid")

    repeat: Annotated[int, Field(ge=0, le=20)] = 0
    reorder: Annotated[int, Field(ge=0, le=100)] = 0
    delay_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    drop: Annotated[int, Field(ge=-1)] = 0
    paused: bool = False
    api_version: str | None = None


class Faults(BaseModel):
    """How the API fails.

    Args:
        hang_s: how long an answer takes.
        status: what is answered in place of doing anything; 429 or 500, say.
        next: how many requests that is for; None: all.
        after: the request is carried out, and its answer lost.
    """

    model_config = ConfigDict(extra="forbid")

    hang_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    next: Annotated[int, Field(ge=0)] | None = None
    after: bool = False

    @property
    def active(self) -> bool:
        """Whether the next request meets one."""
        return self.next != 0 and (self.hang_s > 0 or self.status is not None or self.after)
