"""The archive's consumer: events per second, files before and after the night, and the memory that it takes.

The events come from memory, in the batches that the consumer would read; the archive is a folder, the database a file.
What Kafka costs is not in it. Times are of the processor: they hardly depend on what else the machine does.

Run `python -m tests.benchmarks.archive_rates [EVENTS] [BATCH]`.
"""

import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from consumers.archive import ArchiveMessage, decode_message
from domain.attendance.facts import FactTable
from integrations.archive.delta_table import DeltaStore
from integrations.archive.reading import facts
from integrations.archive.verification import Verification
from tests.unit.consumers.archive_parts import NOON, ArchiveBench, entered, kafka_message, left

MEMBERS = 2000


def main(events: int, batch: int) -> None:
    """Measure, and print one line for each figure."""
    with tempfile.TemporaryDirectory() as folder:
        bench = ArchiveBench(Path(folder) / "bench")
        members = [bench.member() for _ in range(MEMBERS)]
        entries = [entered(members[n % MEMBERS], NOON + timedelta(milliseconds=n)) for n in range(events // 2)]
        both = [event for each in entries for event in (each, left(each, NOON + timedelta(hours=1)))]
        sources = [kafka_message(event, offset) for offset, event in enumerate(both)]
        before_mib = _memory_mib()
        began_at = time.process_time()
        decoded: list[ArchiveMessage] = [decode_message(source) for source in sources]
        decoded_s = time.process_time() - began_at
        handler = bench.handler()
        began_at = time.process_time()
        for start in range(0, events, batch):
            handler.handle(decoded[start : start + batch])
        handled_s = time.process_time() - began_at
        commits = handler.stats.commits
        _say("events", events)
        _say("events per commit", batch)
        _say("events per second of processor time", round(events / (decoded_s + handled_s)))
        _say("ms per commit", round(1000 * handled_s / commits, 1))
        archive = DeltaStore(bench.settings)
        for table in (FactTable.VISITS, FactTable.SCANS):
            archive.refresh(table)
            _say(f"{table}: files of the day", len(archive.files(table)[NOON.date()]))
        began_at = time.process_time()
        rows = facts(archive, FactTable.VISITS, NOON.date(), NOON.date()).collect().height
        _say("ms to read the visits before compaction", round(1000 * (time.process_time() - began_at)))
        assert rows == events // 2
        began_at = time.process_time()
        archive.compact(FactTable.VISITS, NOON.date())
        _say("ms to compact an open day", round(1000 * (time.process_time() - began_at)))
        began_at = time.process_time()
        Verification(bench.store, archive).verify(FactTable.SCANS, NOON.date())  # the database has none: all goes
        _say("ms to verify and rewrite the scans", round(1000 * (time.process_time() - began_at)))
        for table in (FactTable.VISITS, FactTable.SCANS):
            archive.refresh(table)
            _say(f"{table}: files afterwards", len(archive.files(table).get(NOON.date(), [])))
        _say("MiB resident before, with libraries", before_mib)
        _say("MiB resident at most", _memory_mib())
        bench.store.close()


def _memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _say(what: str, figure: float) -> None:
    sys.stdout.write(f"{what:>45}  {figure:g}\n")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]] + [20_000, 1000][len(sys.argv) - 1 :]
    main(*numbers)
