"""One embedded stack for all tests of this folder that need no other; its start costs more than most of them.

It lasts for the session: where files run side by side, those of other folders come between.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.api import Api
from tests.stacks import TestedStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    started = TestedStack(tmp_path_factory.mktemp("api"), environment={"FITMONITOR_LIVE__ENABLED": "true"})
    try:
        started.start()
        api = Api(started)
        yield api
        api.client.close()
    finally:
        started.down()


@pytest.fixture(scope="session")
def admin(stack: Api) -> dict[str, str]:
    return stack.bearer(stack.demo["admin"]["email"])
