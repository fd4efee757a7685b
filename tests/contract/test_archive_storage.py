"""The tables of the archive in a folder and on S3, which moto's server plays over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import polars as pl
import pytest
from pydantic import SecretStr

from cluster.local.image_server import make_bucket
from cluster.local.ports import free_port
from domain.attendance.facts import FactTable, VisitFact
from domain.ids import new_id
from integrations.archive.delta_table import ArchiveConflictError, ArchiveUnavailableError, DeltaStore
from integrations.archive.reading import facts
from integrations.archive.rows import Position, frame_of
from integrations.settings import ArchiveSettings, ImageSettings
from tests.moto_server import NOBODYS_KEYS, REGION, moto_server
from tests.world import START

VISITS = FactTable.VISITS
DAY = START.date()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with moto_server() as url:
        yield url


def on_s3(url: str) -> ArchiveSettings:
    access = {
        "region": REGION,
        "endpoint_url": url,
        "access_key_id": NOBODYS_KEYS["aws_access_key_id"],
        "secret_access_key": SecretStr(NOBODYS_KEYS["aws_secret_access_key"]),
    }
    bucket = f"archive-{uuid4()}"
    make_bucket(ImageSettings.model_validate({"bucket": bucket, **access}))
    return ArchiveSettings.model_validate({"url": f"s3://{bucket}/attendance", **access})


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveSettings:
    if request.param == "folder":
        return ArchiveSettings(url=str(tmp_path / "archive"))
    return on_s3(request.getfixturevalue("s3"))


def visit() -> VisitFact:
    return VisitFact(new_id(), new_id(), None, START, None, None, annulled=False)


def rows(*visits: VisitFact, first: int = 0) -> pl.DataFrame:
    positions = [Position(1, 0, first + number, str(uuid4())) for number in range(len(visits))]
    return frame_of(VISITS, zip(positions, visits, strict=True), {})


def ids(settings: ArchiveSettings) -> set[str]:
    found = facts(DeltaStore(settings), VISITS, DAY, DAY).collect()["visit_id"]
    assert found.is_unique().all()
    return set(found)


def test_rows_and_the_version_of_their_transaction_are_stored_together(settings: ArchiveSettings) -> None:
    here, there = visit(), visit()
    store = DeltaStore(settings)
    store.refresh(VISITS)
    assert store.transaction_version(VISITS, "events-0") is None
    store.append(VISITS, rows(here, there), {"events-0": 1, "events-1": 7})
    other = DeltaStore(settings)
    other.refresh(VISITS)
    assert [other.transaction_version(VISITS, f"events-{n}") for n in (0, 1, 2)] == [1, 7, None]
    assert ids(settings) == {str(here.id), str(there.id)}


def test_of_commits_with_the_same_transaction_at_the_same_time_one_is_made(settings: ArchiveSettings) -> None:
    DeltaStore(settings).refresh(VISITS)
    writers = 4
    together = Barrier(writers)

    def write(number: int) -> bool:
        store = DeltaStore(settings)
        store.refresh(VISITS)
        together.wait(60)
        try:
            store.append(VISITS, rows(visit(), first=number), {"events-0": number})
        except ArchiveConflictError:
            return False
        return True

    with ThreadPoolExecutor(writers) as pool:
        assert sum(pool.map(write, range(writers))) == 1
    assert len(ids(settings)) == 1


def test_commits_with_different_transactions_at_the_same_time_are_all_made(settings: ArchiveSettings) -> None:
    DeltaStore(settings).refresh(VISITS)
    writers = 4
    together = Barrier(writers)

    def write(number: int) -> None:
        store = DeltaStore(settings)
        store.refresh(VISITS)
        together.wait(60)
        store.append(VISITS, rows(visit(), first=number), {f"events-{number}": number})

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    assert len(ids(settings)) == writers


def test_a_day_is_replaced_unless_rows_were_added_to_it_meanwhile(settings: ArchiveSettings) -> None:
    yesterday = replace(visit(), entered_at=START - timedelta(days=1))
    store, other = DeltaStore(settings), DeltaStore(settings)
    for each in (store, other):
        each.refresh(VISITS)
    other.append(VISITS, rows(yesterday), {"events-0": 0})
    replaced, added = visit(), visit()
    store.replace_day(VISITS, DAY, rows(replaced))
    for each in (store, other):
        each.refresh(VISITS)
    other.append(VISITS, rows(added), {"events-0": 1})
    with pytest.raises(ArchiveConflictError):
        store.replace_day(VISITS, DAY, rows(visit()))
    assert ids(settings) == {str(replaced.id), str(added.id)}
    assert facts(DeltaStore(settings), VISITS, yesterday.day, yesterday.day).collect().height == 1


def test_compaction_and_vacuum_keep_what_a_reader_uses(settings: ArchiveSettings) -> None:
    store = DeltaStore(settings)
    visits = [visit() for _ in range(4)]
    for number, each in enumerate(visits):
        store.refresh(VISITS)
        store.append(VISITS, rows(each, first=number), {"events-0": number})
    reader = DeltaStore(settings).scan(VISITS)
    store.compact(VISITS, DAY)
    store.refresh(VISITS)
    assert len(store.files(VISITS)[DAY]) == 1
    assert store.vacuum(VISITS) == 0, "the old files are younger than their retention"
    assert reader.collect().height == 4
    assert ids(settings) == {str(each.id) for each in visits}


def test_s3_that_is_unavailable_is_an_error_that_the_consumer_waits_for() -> None:
    nowhere = ArchiveSettings.model_validate(
        {
            "url": "s3://archive/attendance",
            "region": REGION,
            "endpoint_url": f"http://127.0.0.1:{free_port()}",
            "access_key_id": "nobody",
            "secret_access_key": "nothing",
        }
    )
    with pytest.raises(ArchiveUnavailableError):
        DeltaStore(nowhere).refresh(VISITS)
