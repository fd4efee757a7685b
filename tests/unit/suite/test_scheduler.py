import pytest

from tests.suite.scheduler import order, scope


def test_end_to_end_tests_share_one_worker_whatever_their_file() -> None:
    assert scope("tests/e2e/test_api.py::test_a") == scope("tests/e2e/test_gyms.py::TestGyms::test_b[x]")


def test_unit_tests_and_those_of_the_domain_go_anywhere_one_by_one() -> None:
    for folder in ("tests/unit/domain/door", "tests/integration/domain"):
        ids = [f"{folder}/test_a.py::test_a[{number}]" for number in range(3)]
        assert len({scope(nodeid) for nodeid in ids}) == 3


@pytest.mark.parametrize("folder", ["tests/faults", "tests/contract", "tests/integration/kafka"])
def test_a_file_of_the_others_is_kept_together(folder: str) -> None:
    assert scope(f"{folder}/test_a.py::test_a[x::y]") == scope(f"{folder}/test_a.py::TestB::test_b")
    assert scope(f"{folder}/test_a.py::test_a") != scope(f"{folder}/test_b.py::test_a")


def test_what_takes_longest_as_a_whole_begins_first() -> None:
    ids = [
        "tests/unit/domain/door/test_rules.py::test_a",
        "tests/faults/test_races.py::test_a",
        "tests/integration/domain/door/test_door.py::test_a",
        "tests/e2e/test_api.py::test_a",
        "tests/contract/test_openapi.py::test_a",
    ]
    assert [nodeid.split("/")[1] for nodeid in sorted(ids, key=order)] == [
        "e2e",
        "faults",
        "contract",
        "unit",
        "integration",
    ]
