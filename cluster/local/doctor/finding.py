"""What an examination of a machine tells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined.

    Args:
        what: its name.
        good: whether it is as it should be.
        found: what there is.
        mend: the command, or what to do, where it is not good.
        needed: false where the stack works all the same.
    """

    what: str
    good: bool
    found: str
    mend: str
    needed: bool = True

    @property
    def lacks(self) -> bool:
        """Whether something is missing that is needed."""
        return self.needed and not self.good
