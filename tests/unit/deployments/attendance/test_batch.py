import pytest

from deployments.attendance.batch import BatchResult, NoBatchWorkersError, check_resources, run_plan
from deployments.attendance.plan import Plan
from domain.errors import UnavailableError


def test_a_cluster_without_the_batch_resource_is_an_error_with_its_fix() -> None:
    with pytest.raises(NoBatchWorkersError, match="ray start --resources") as raised:
        check_resources({"CPU": 2.0})

    assert isinstance(raised.value, UnavailableError)
    check_resources({"CPU": 2.0, "batch": 1.0})


def test_an_empty_plan_needs_no_worker() -> None:
    assert run_plan(Plan([], {})) == BatchResult()
