from collections.abc import Iterator

import pytest

from tests.moto_server import moto_server, new_pool
from tests.unit.lambdas.pool import Pool


@pytest.fixture(scope="session")
def cognito() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def only_pool(cognito: str) -> Pool:
    return Pool(new_pool(cognito))


@pytest.fixture
def pool(only_pool: Pool) -> Iterator[Pool]:
    """A pool without users and with all groups; moto takes longer to make one than to empty it."""
    yield only_pool
    only_pool.empty()


@pytest.fixture
def in_the_cloud(cognito: str, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """The environment that AWS gives a function of this pool."""
    for name, value in {
        "FITMONITOR_USER_POOL_ID": pool.id,
        "FITMONITOR_COGNITO_ENDPOINT_URL": cognito,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }.items():
        monkeypatch.setenv(name, value)
    return pool
