"""The result of one check."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. The names of its fields are those of `fitmonitor doctor --json`.

    Args:
        what: what was checked.
        good: whether the check has passed.
        found: the current state.
        hint: how to fix it, as a command if possible.
        needed: False if the stack works without it.
    """

    what: str
    good: bool
    found: str
    hint: str
    needed: bool = True

    @property
    def lacks(self) -> bool:
        """Whether a required check has failed."""
        return self.needed and not self.good
