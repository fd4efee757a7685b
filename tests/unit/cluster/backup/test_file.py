"""The backup file: written completely or not at all, private, and verified as a whole."""

import fcntl
import json
import stat
from pathlib import Path
from zipfile import ZipFile

import pytest

from cluster.backup.create import create_backup
from cluster.backup.manifest import FORMAT, MEMBER
from cluster.backup.reader import opened_backup
from cluster.backup.restore import verify_backup
from cluster.backup.writer import new_backup
from cluster.errors import CommandError
from integrations.settings import Settings
from tests.unit.cluster.backup.filled_folder import rewritten, silent, taken, unseen


def checked(file: Path) -> None:
    with opened_backup(file) as backup:
        verify_backup(backup, unseen)


def member(file: Path, name: str) -> bytes:
    with ZipFile(file) as archive:
        return archive.read(name)


def said(file: Path) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(member(file, MEMBER))
    return found


def test_a_backup_is_private_and_leaves_no_temporary_files(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir() if "monday" in path.name] == [file.name]
    assert not list(file.parent.glob(".fitmonitor-*"))
    checked(file)


def test_an_existing_file_is_replaced_only_with_force(stack: Settings, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(CommandError, match="--force"):
        taken(stack, file)
    assert file.read_bytes() == before
    create_backup(stack, file, silent, force=True)
    assert file.read_bytes() != before
    checked(file)
    with pytest.raises(CommandError, match="is a folder"):
        create_backup(stack, file.parent, silent, force=True)


def test_a_failed_backup_keeps_the_existing_file(stack: Settings, file: Path) -> None:
    before = file.read_bytes()

    def fail(part: str, _number: int) -> None:
        if part == "visits":
            raise RuntimeError

    with pytest.raises(RuntimeError):
        create_backup(stack, file, fail, force=True)
    assert file.read_bytes() == before
    assert not file.with_name(f"{file.name}.part").exists()


def test_the_remains_of_a_killed_backup_are_overwritten(stack: Settings, tmp_path: Path) -> None:
    file = tmp_path / "monday"
    part = tmp_path / "monday.part"
    part.write_bytes(b"half a backup" * 100_000)
    part.chmod(0o644)
    taken(stack, file)
    assert not part.exists()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    checked(file)


def test_two_backups_into_one_file_do_not_mix(stack: Settings, tmp_path: Path) -> None:
    with (tmp_path / "monday.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="another backup"):
            taken(stack, tmp_path / "monday")
    assert (tmp_path / "monday.part").exists(), "it is the other's"


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "monday.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommandError), new_backup(tmp_path / "monday", force=False):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_an_error(stack: Settings, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file or directory: name another file"):
        taken(stack, tmp_path / "nowhere" / "monday")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_refused(file: Path, kept: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CommandError, match="damaged or truncated"):
        checked(file)


def test_a_flipped_bit_is_noticed_wherever_it_matters(file: Path) -> None:
    data = file.read_bytes()
    with ZipFile(file) as archive:
        places = [entry.header_offset + 200 for entry in archive.infolist() if entry.compress_size > 300]
    assert len(places) > 5
    for place in places:
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CommandError):
            checked(file)


def test_a_file_that_is_not_a_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive", encoding="utf-8")
    with pytest.raises(CommandError, match="damaged or truncated"):
        checked(tmp_path / "text")
    with ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme", "of somebody else")
    with pytest.raises(CommandError, match="not a backup of FIT Monitor"):
        checked(tmp_path / "other.zip")
    with pytest.raises(CommandError, match="No such file"):
        checked(tmp_path / "nowhere")


def test_rows_that_were_changed_after_the_checksum_are_refused(file: Path) -> None:
    lines = member(file, "tables/users.jsonl")
    with pytest.raises(CommandError, match=r"tables/users\.jsonl does not match its checksum"):
        checked(rewritten(file, {"tables/users.jsonl": lines.replace(b"Zo", b"Zu")}))


def test_a_missing_or_additional_file_is_refused(file: Path) -> None:
    for changes in ({"tables/users.jsonl": None}, {"tables/more.jsonl": b""}):
        with pytest.raises(CommandError, match="does not have the files that its manifest lists"):
            checked(rewritten(file, dict(changes)))


def test_a_wrong_row_count_is_refused(file: Path) -> None:
    tables = said(file)["tables"]
    tables[0]["rows"] = 3
    with pytest.raises(CommandError, match="has 2 rows instead of 3"):
        checked(rewritten(file, {}, tables=tables))


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/outside", "files/../../outside", "files/keys/passes/../../x.pem", "files/keys/passes/x.pem",
     "files/stripe-sandbox/other.sqlite", "pictures/images/ab/large", "files/demo.json\n"],
)  # fmt: skip
def test_an_unexpected_file_name_is_refused_before_anything_is_written(file: Path, name: str) -> None:
    files = said(file)["files"]
    (demo,) = [each for each in files if each["name"] == "files/demo.json"]
    data = member(file, "files/demo.json")
    demo["name"] = name
    with pytest.raises(CommandError, match="lists a file that no backup has"):
        checked(rewritten(file, {"files/demo.json": None, name: data}, files=files))


def test_a_newer_format_or_schema_is_refused_with_the_version_to_use(file: Path) -> None:
    with pytest.raises(CommandError, match=r"format 2.*version 7\.1 or newer"):
        checked(rewritten(file, {}, format=FORMAT + 1, version="7.1"))
    with pytest.raises(CommandError, match=r"schema revision 9999.*version 7\.1 or newer"):
        checked(rewritten(file, {}, revision="9999", version="7.1"))


def test_an_invalid_manifest_is_refused(file: Path) -> None:
    with pytest.raises(CommandError, match="manifest cannot be read"):
        checked(rewritten(file, {MEMBER: b"{}"}))
