"""The definitions of all metrics: names, types, tags, descriptions.

`docs/metrics.md` lists them; `python -m integrations.metrics` prints that list. `integrations.metrics_registry` counts
them.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """The type of a metric."""

    COUNTER = "counter"  # never decreases while its replica lives
    GAUGE = "gauge"  # a current value
    HISTOGRAM = "histogram"  # three counters: `_bucket` with the tag `le`, `_sum`, `_count`


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Durations are in seconds.

    Args:
        deployment: the deployment that reports it.
        description: in ASCII, as Ray requires.
        tags: what its series are distinguished by.
        bounds: upper bounds of the buckets of a histogram.
    """

    name: str
    kind: MetricKind
    deployment: str
    description: str
    tags: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.8, 5.0)
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_SCANNER, _CONSUMER, _LIVE = "QrScanner", "DoorConsumer", "Live"
_COMMAND_SENDERS = "QrScanner, Gateway"
_PAYMENT_CONSUMER = "PaymentConsumer"
_ARCHIVE_CONSUMER = "ArchiveConsumer"

ANSWERS = Metric(
    "fitmonitor_scan_answers",
    MetricKind.COUNTER,
    _SCANNER,
    "Answers to scans: `ok` for a decision, the code of the problem (`no_answer_in_time`, `busy`), or `gone` when the "
    "client closed the connection.",
    ("code",),
)
ANSWER_SECONDS = Metric(
    "fitmonitor_scan_answer_seconds",
    MetricKind.HISTOGRAM,
    _SCANNER,
    "Time from the arrival of a scan to its answer of any kind.",
    bounds=_SECONDS,
)
LATE_REPLIES = Metric(
    "fitmonitor_late_replies", MetricKind.COUNTER, _COMMAND_SENDERS, "Replies of the door that arrived too late."
)
PASS_READINGS = Metric(
    "fitmonitor_pass_readings",
    MetricKind.COUNTER,
    _SCANNER,
    "Scanned codes by result: `valid`, `stale` or `forged`.",
    ("status",),
)
LOST_COMMANDS = Metric(
    "fitmonitor_lost_commands",
    MetricKind.COUNTER,
    _COMMAND_SENDERS,
    "Commands that Kafka did not accept: `refused` at once, or `undelivered` before the deadline.",
    ("how",),
)
SCANS = Metric(
    "fitmonitor_scans",
    MetricKind.COUNTER,
    _CONSUMER,
    "Decided scans by outcome and reason of refusal. A repeated scan counts once.",
    ("outcome", "reason"),
)
REPEATED_SCANS = Metric(
    "fitmonitor_repeated_scans", MetricKind.COUNTER, _CONSUMER, "Repeated scans, which get their first answer again."
)
DECISION_SECONDS = Metric(
    "fitmonitor_decision_seconds",
    MetricKind.HISTOGRAM,
    _CONSUMER,
    "Time from the arrival of a scan to its decision, including `too_late`.",
    bounds=_SECONDS,
)
BATCH_COMMANDS = Metric(
    "fitmonitor_batch_commands", MetricKind.HISTOGRAM, _CONSUMER, "Commands per transaction.", bounds=_SIZES
)
FAILED_BATCHES = Metric(
    "fitmonitor_failed_batches",
    MetricKind.COUNTER,
    _CONSUMER,
    "Failed transactions by error. Their batches were retried or split.",
    ("error",),
)
LAG = Metric(
    "fitmonitor_consumer_lag", MetricKind.GAUGE, _CONSUMER, "Unread commands in the partitions of one consumer."
)
LOST_REPLIES = Metric(
    "fitmonitor_lost_replies", MetricKind.COUNTER, _CONSUMER, "Reply messages that Kafka did not accept."
)
DEAD_LETTERS = Metric(
    "fitmonitor_dead_letters",
    MetricKind.COUNTER,
    _CONSUMER,
    "Commands that could not be handled and went to the dead letters.",
)
OUTBOX_LAG = Metric(
    "fitmonitor_outbox_lag",
    MetricKind.GAUGE,
    _CONSUMER,
    "Events that wait to be published, counted up to 10,000; 0 where another replica's relay is active.",
)
OUTBOX_AGE = Metric("fitmonitor_outbox_oldest_seconds", MetricKind.GAUGE, _CONSUMER, "Age of the oldest waiting event.")
OUTBOX_ACTIVE = Metric(
    "fitmonitor_outbox_active",
    MetricKind.GAUGE,
    _CONSUMER,
    "1 where the relay holds the lease. The sum over all replicas should be 1.",
)
OUTBOX_PUBLISHED = Metric("fitmonitor_outbox_published", MetricKind.COUNTER, _CONSUMER, "Published events.")
PAYMENT_LAG = Metric(
    "fitmonitor_payment_lag",
    MetricKind.GAUGE,
    _PAYMENT_CONSUMER,
    "Unread events of the payment provider in the partitions of one consumer.",
)
PAYMENT_EVENTS = Metric(
    "fitmonitor_payment_events", MetricKind.COUNTER, _PAYMENT_CONSUMER, "Handled events of the payment provider."
)
PAYMENT_DEAD_LETTERS = Metric(
    "fitmonitor_payment_dead_letters",
    MetricKind.COUNTER,
    _PAYMENT_CONSUMER,
    "Events of the payment provider that could not be handled and went to the dead letters.",
)
RECONCILIATION_FAILURES = Metric(
    "fitmonitor_reconciliation_failures",
    MetricKind.COUNTER,
    _PAYMENT_CONSUMER,
    "Events, orders and refunds that failed in a reconciliation. One that keeps failing counts in every run.",
)
ARCHIVE_LAG = Metric(
    "fitmonitor_archive_lag", MetricKind.GAUGE, _ARCHIVE_CONSUMER, "Unread events in the partitions of one consumer."
)
ARCHIVE_PENDING_SECONDS = Metric(
    "fitmonitor_archive_pending_seconds",
    MetricKind.GAUGE,
    _ARCHIVE_CONSUMER,
    "How long the oldest event that was read waits for its commit. Above a minute, the storage does not respond.",
)
ARCHIVE_ROWS = Metric(
    "fitmonitor_archive_rows", MetricKind.COUNTER, _ARCHIVE_CONSUMER, "Rows appended from events.", ("table",)
)
ARCHIVE_COMMITS = Metric("fitmonitor_archive_commits", MetricKind.COUNTER, _ARCHIVE_CONSUMER, "Commits to a table.")
ARCHIVE_CONFLICTS = Metric(
    "fitmonitor_archive_conflicts",
    MetricKind.COUNTER,
    _ARCHIVE_CONSUMER,
    "Commits that were made again because another one came first.",
)
ARCHIVE_INCOMPLETE = Metric(
    "fitmonitor_archive_incomplete",
    MetricKind.COUNTER,
    _ARCHIVE_CONSUMER,
    "Events of an older version without what their rows need. The verification adds the rows.",
)
ARCHIVE_DEAD_LETTERS = Metric(
    "fitmonitor_archive_dead_letters",
    MetricKind.COUNTER,
    _ARCHIVE_CONSUMER,
    "Events that could not be handled and went to the dead letters.",
)
ARCHIVE_REWRITTEN_DAYS = Metric(
    "fitmonitor_archive_rewritten_days",
    MetricKind.COUNTER,
    _ARCHIVE_CONSUMER,
    "Days of a table that differed from the database and were rewritten.",
)
LIVE_STREAMS = Metric("fitmonitor_live_streams", MetricKind.GAUGE, _LIVE, "Open streams.")
LIVE_READS = Metric(
    "fitmonitor_live_reads",
    MetricKind.COUNTER,
    _LIVE,
    "Reads of gyms for viewers: `ok`, `failed`, or `refused` when the gym does not exist.",
    ("result",),
)
LIVE_UPDATES = Metric("fitmonitor_live_updates", MetricKind.COUNTER, _LIVE, "Snapshots sent, counted per stream.")
LIVE_DELAY_SECONDS = Metric(
    "fitmonitor_live_delay_seconds",
    MetricKind.HISTOGRAM,
    _LIVE,
    "Time from the decision of a change to its snapshot being sent to the streams. For several changes: the oldest.",
    bounds=_SECONDS,
)

METRICS: Sequence[Metric] = (
    ANSWERS,
    ANSWER_SECONDS,
    LATE_REPLIES,
    PASS_READINGS,
    LOST_COMMANDS,
    SCANS,
    REPEATED_SCANS,
    DECISION_SECONDS,
    BATCH_COMMANDS,
    FAILED_BATCHES,
    LAG,
    LOST_REPLIES,
    DEAD_LETTERS,
    OUTBOX_LAG,
    OUTBOX_AGE,
    OUTBOX_ACTIVE,
    OUTBOX_PUBLISHED,
    PAYMENT_LAG,
    PAYMENT_EVENTS,
    PAYMENT_DEAD_LETTERS,
    RECONCILIATION_FAILURES,
    ARCHIVE_LAG,
    ARCHIVE_PENDING_SECONDS,
    ARCHIVE_ROWS,
    ARCHIVE_COMMITS,
    ARCHIVE_CONFLICTS,
    ARCHIVE_INCOMPLETE,
    ARCHIVE_DEAD_LETTERS,
    ARCHIVE_REWRITTEN_DAYS,
    LIVE_STREAMS,
    LIVE_READS,
    LIVE_UPDATES,
    LIVE_DELAY_SECONDS,
)


def table() -> str:
    """The table of all metrics in `docs/metrics.md`, as Markdown."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{tag}`' for tag in metric.tags)} "
        f"| {metric.deployment} | {metric.description} |"
        for metric in METRICS
    ]
    return "\n".join(["| name | type | tags | deployment | description |", "|---|---|---|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
