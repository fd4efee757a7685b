"""How pytest-xdist distributes tests: what is started for many is started once."""

from xdist.scheduler import LoadScopeScheduling

_END_TO_END = "tests/e2e/"
_ALONE = ("tests/unit/", "tests/integration/domain/")


def scope(nodeid: str) -> str:
    """Tests of one scope run in one worker, one after the other.

    The end-to-end tests share a stack. Unit tests and those of the domain start nothing and go anywhere. Of the others
    a file is a scope.
    """
    if nodeid.startswith(_END_TO_END):
        return _END_TO_END
    if nodeid.startswith(_ALONE):
        return nodeid
    return nodeid.partition("::")[0]


def order(nodeid: str) -> int:
    """Large scopes first: at the end only small ones are left, and no worker waits for another."""
    if nodeid.startswith(_END_TO_END):
        return 0
    if nodeid.startswith(_ALONE):
        return 2
    return 1


class OwnFilesScheduler(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """See `scope`."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
