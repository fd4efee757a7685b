"""One embedded stack for all tests of this folder that kill and change nothing of it; its start costs more than most.

All of the folder runs in one worker, so that it starts once. Nobody expects to be the first to use it: see `Api`.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.api import Api
from tests.e2e.commands import Commands
from tests.e2e.log_files import named_in_logs
from tests.stacks import TestedStack

_OFTEN = "100000"
_ENVIRONMENT = {
    "FITMONITOR_LIVE__ENABLED": "true",
    "FITMONITOR_DEFAULT_STAGE__ENABLED": "true",
    # No bucket runs empty, whoever asks before; limits are tested in `tests/unit/deployments`.
    "FITMONITOR_DOOR__SCANS_PER_DEVICE_PER_SECOND": _OFTEN,
    "FITMONITOR_API__REQUESTS_PER_USER_PER_SECOND": _OFTEN,
    "FITMONITOR_API__SIGN_INS_PER_ADDRESS_PER_SECOND": _OFTEN,
    "FITMONITOR_IDENTITY__FAILED_ATTEMPTS_BEFORE_DELAY": _OFTEN,
    "FITMONITOR_IDENTITY__FAILED_ATTEMPTS_BEFORE_DELAY_PER_ADDRESS": _OFTEN,
    "FITMONITOR_IDENTITY__UNKNOWN_DEVICE_ATTEMPTS_PER_HOUR": _OFTEN,
    "FITMONITOR_IDENTITY__UNKNOWN_DEVICE_MAILS_PER_HOUR": _OFTEN,
    "FITMONITOR_IDENTITY__MAILS_PER_ADDRESS_PER_HOUR": _OFTEN,
    "FITMONITOR_IDENTITY__ARGON2_MEMORY_KIB": "8",
    "FITMONITOR_IDENTITY__ARGON2_PASSES": "1",
    # Tests of metrics wait for it; Ray's own are ten seconds. A gauge is shown for twice as long: our gauges are set
    # every five seconds, those of Serve every ten by default.
    "RAY_metrics_report_interval_ms": "4000",
    "RAY_SERVE_STATUS_GAUGE_REPORT_INTERVAL_S": "2",
}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    started = TestedStack(tmp_path_factory.mktemp("stack"), environment=_ENVIRONMENT)
    try:
        started.start()
        api = Api(started)
        yield api
        api.client.close()
        # Whatever was done to it.
        assert "agree" in api.fm.said("reconcile")
        assert "agree" in api.fm.said("payments", "check")
        assert api.fm.json("kafka", "dead-letters") == []
    finally:
        started.down()
    named = named_in_logs(started.data_dir)
    assert not named, "\n".join(["logs name somebody:", *named])


@pytest.fixture(scope="session")
def admin(stack: Api) -> dict[str, str]:
    return stack.admin


@pytest.fixture(scope="session")
def fm(stack: Api) -> Commands:
    return stack.fm
