import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cluster.errors import CommandError
from cluster.local.process import ProcessId
from cluster.local.stack_record import StackRecord, read_record, record_file, stack_lock, stop_leftovers
from cluster.settings_file import running_stack, stack_settings
from integrations.settings import settings


def _record(folder: Path, **changed: object) -> StackRecord:
    values: dict[str, object] = {
        "profile": "embedded",
        "host": "127.0.0.1",
        "port": 8000,
        "data_dir": folder,
        "run_dir": folder / "run",
        "boot": psutil.boot_time(),
        "supervisor": ProcessId.of(os.getpid()),
        "environment": {"FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"},
    }
    return StackRecord(**{**values, **changed})  # type: ignore[arg-type]


def test_a_written_record_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    written = _record(tmp_path, processes={"Ray": ProcessId(7, 8.5)})
    written.write()
    assert read_record(tmp_path) == written
    assert stat.S_IMODE(record_file(tmp_path).stat().st_mode) == 0o600


def test_without_a_stack_there_is_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"port": 1}'])
def test_a_broken_record_is_an_error_with_a_hint(tmp_path: Path, content: str) -> None:
    record_file(tmp_path).write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match="then remove"):
        read_record(tmp_path)


def test_one_stack_locks_the_folder(tmp_path: Path) -> None:
    _record(tmp_path, phase="ready").write()
    said = r"already up .* http://127.0.0.1:8000 \(pid \d+, ready\)"
    with stack_lock(tmp_path), pytest.raises(CommandError, match=said), stack_lock(tmp_path):
        pass
    with stack_lock(tmp_path):
        pass


def test_a_host_of_all_interfaces_is_reached_on_loopback(tmp_path: Path) -> None:
    assert _record(tmp_path, host="::").url == "http://127.0.0.1:8000"
    assert _record(tmp_path, host="192.0.2.7").url == "http://192.0.2.7:8000"


def test_processes_of_an_earlier_boot_are_ignored(tmp_path: Path) -> None:
    own = ProcessId.of(os.getpid())
    earlier = _record(tmp_path, boot=psutil.boot_time() - 86_400, processes={"Ray": own})
    assert earlier.members() == []


def test_leftovers_are_stopped_in_reverse_order_and_the_record_is_deleted(tmp_path: Path) -> None:
    sleepers = {
        name: subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        for name in ("MariaDB", "Ray")
    }
    record = _record(tmp_path, processes={name: ProcessId.of(child.pid) for name, child in sleepers.items()})
    record.run_dir.mkdir()
    record.write()

    assert stop_leftovers(record) == ["Ray", "MariaDB"]

    assert [child.wait() for child in sleepers.values()] == [-15, -15]
    assert not record.run_dir.exists()
    assert read_record(tmp_path) is None


def test_commands_read_the_settings_of_the_running_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FITMONITOR_KAFKA__BOOTSTRAP_SERVERS", "")
    settings.cache_clear()
    try:
        assert stack_settings().kafka.bootstrap_servers == ""
        with pytest.raises(CommandError, match="start one with `fitmonitor up`"):
            running_stack()

        _record(tmp_path).write()
        settings.cache_clear()

        assert stack_settings().kafka.bootstrap_servers == "127.0.0.1:1"
        assert running_stack().port == 8000
    finally:
        settings.cache_clear()
