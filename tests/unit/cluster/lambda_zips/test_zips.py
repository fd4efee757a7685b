"""The functions as files that AWS can run. Building them takes a while, and packages from an index."""

import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from cluster.lambda_zips.build import OURS, build, cold_start_s, handler_module
from cluster.lambda_zips.requirements import ROOT, functions, requirements

NAMES = ["assign_default_role", "change_role", "list_users"]


@pytest.fixture(scope="module")
def zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {file.stem: file for file in build(tmp_path_factory.mktemp("zips"))}


@pytest.mark.check
def test_there_is_a_file_of_each_function(zips: dict[str, Path]) -> None:
    assert list(zips) == functions() == NAMES


@pytest.mark.check
@pytest.mark.parametrize("name", NAMES)
def test_each_starts_in_a_clean_process_with_nothing_else(zips: dict[str, Path], name: str, tmp_path: Path) -> None:
    with ZipFile(zips[name]) as opened:
        opened.extractall(tmp_path)
    told = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {handler_module(name)} as module;"
        "found = [getattr(m, '__file__', None) for m in list(sys.modules.values())];"
        "print(callable(module.handler), *filter(None, found))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", told], capture_output=True, text=True, env={}, timeout=60, check=True
    )
    is_callable, *files = done.stdout.split()
    assert is_callable == "True"
    elsewhere = [file for file in files if "site-packages" in file or file.startswith(str(ROOT))]
    assert elsewhere == []


@pytest.mark.check
def test_its_start_is_timed(zips: dict[str, Path]) -> None:
    assert 0 < cold_start_s("list_users", zips["list_users"]) < 60


@pytest.mark.check
@pytest.mark.parametrize("name", NAMES)
def test_each_carries_what_it_uses_and_nothing_of_the_machine(zips: dict[str, Path], name: str) -> None:
    with ZipFile(zips[name]) as opened:
        names = opened.namelist()
        ours = sorted(entry for entry in names if entry.split("/")[0] in OURS and entry.endswith(".py"))
        assert f"lambdas/{name}/handler.py" in ours
        others = {f"lambdas/{other}/handler.py" for other in NAMES} - {f"lambdas/{name}/handler.py"}
        assert not others & set(ours)
        heavy = {"ray", "fastapi", "sqlalchemy", "pydantic", "deployments", "cluster"}
        assert not {entry.split("/")[0] for entry in names} & heavy
        for entry in names:
            if entry.split("/")[0] in OURS:
                assert str(ROOT).encode() not in opened.read(entry)
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.check
def test_the_same_sources_give_the_same_bytes(zips: dict[str, Path], tmp_path: Path) -> None:
    for again in build(tmp_path):
        assert again.read_bytes() == zips[again.stem].read_bytes(), again.stem


@pytest.mark.parametrize("name", NAMES)
def test_requirements_are_those_of_the_project(name: str) -> None:
    written = (ROOT / "lambdas" / name / "requirements.txt").read_text(encoding="utf-8")
    assert written == requirements(), "run: python -m cluster.lambda_zips.requirements"
    assert "http" not in written


CALLS = {
    "assign_default_role": {"AdminAddUserToGroup", "CreateGroup"},
    "list_users": {"AdminGetUser", "AdminListGroupsForUser", "ListUsers", "ListUsersInGroup"},
    "change_role": {
        "AdminAddUserToGroup",
        "AdminGetUser",
        "AdminListGroupsForUser",
        "AdminRemoveUserFromGroup",
        "CreateGroup",
        "ListUsersInGroup",
    },
}
"""What each function asks of Cognito, by its directory's methods."""


@pytest.mark.parametrize("name", NAMES)
def test_a_function_may_do_what_it_does_on_one_pool_and_write_its_log(name: str) -> None:
    policy = json.loads((ROOT / "lambdas" / name / "policy.json").read_text(encoding="utf-8"))
    pool, log = policy["Statement"]
    assert set(pool["Action"]) == {f"cognito-idp:{action}" for action in CALLS[name]}
    assert pool["Resource"] == "arn:aws:cognito-idp:${Region}:${Account}:userpool/${UserPoolId}"
    assert set(log["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert log["Resource"].endswith(f":log-group:/aws/lambda/fitmonitor-{name.replace('_', '-')}:*")


@pytest.mark.parametrize("name", NAMES)
def test_a_function_says_what_it_is_in_a_few_lines(name: str) -> None:
    text = (ROOT / "lambdas" / name / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    assert f"`{handler_module(name)}.handler`" in text
    assert f"{name}.zip" in text
