import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import CommandError
from cluster.local.folders import cache_dir, make_run_dir, run_dir


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Path]:
    yield run_dir(tmp_path)
    shutil.rmtree(run_dir(tmp_path), ignore_errors=True)


def test_each_data_folder_has_its_own_short_private_run_folder(tmp_path: Path, made: Path) -> None:
    assert make_run_dir(tmp_path) == made
    # Ray and HAProxy add up to 80 bytes; the kernel allows 107.
    assert len(str(made)) < 27
    assert made.stat().st_mode & 0o777 == 0o700
    assert run_dir(tmp_path / "other") != made


def test_a_new_stack_has_an_empty_run_folder(tmp_path: Path, made: Path) -> None:
    make_run_dir(tmp_path)
    (made / "old.sock").touch()
    assert list(make_run_dir(tmp_path).iterdir()) == []


def test_a_symbolic_link_is_refused_as_run_folder(tmp_path: Path, made: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    made.symlink_to(elsewhere)
    try:
        with pytest.raises(CommandError, match="only this user can open"):
            make_run_dir(tmp_path)
    finally:
        made.unlink()


def test_the_cache_folder_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
