"""Every metric of the system, in one place: what it is called, what it counts, what tells its series apart.

`docs/metrics.md` lists them; `python -m integrations.metrics` writes that list. `integrations.tally` counts them.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"  # only rises, while its replica lives
    GAUGE = "gauge"  # as it is now
    HISTOGRAM = "histogram"  # counters `_bucket` with the tag `le`, `_sum` and `_count`


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Times are in seconds; `bounds` are the upper ends of a histogram's buckets."""

    name: str
    kind: Kind
    of: str  # the deployment that reports it
    description: str
    tags: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.8, 5.0)
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_SCANNER, _CONSUMER, _LIVE = "QrScanner", "DoorConsumer", "Live"
_COMMAND_SENDERS = "QrScanner, Gateway"
_PAYMENT_CONSUMER = "PaymentConsumer"

ANSWERS = Metric(
    "fitmonitor_scan_answers",
    Kind.COUNTER,
    _SCANNER,
    "Scans as their doors were answered: `ok` when decided, else the problem's code (`no_answer_in_time`, `busy`); "
    "`gone` when a door hung up.",
    ("code",),
)
ANSWER_SECONDS = Metric(
    "fitmonitor_scan_answer_seconds",
    Kind.HISTOGRAM,
    _SCANNER,
    "From a scan's arrival to its answer, whatever that was.",
    bounds=_SECONDS,
)
LATE_REPLIES = Metric(
    "fitmonitor_late_replies", Kind.COUNTER, _COMMAND_SENDERS, "The door's replies that nobody waited for any more."
)
PASS_READINGS = Metric(
    "fitmonitor_pass_readings", Kind.COUNTER, _SCANNER, "Scanned codes: `valid`, `stale` or `forged`.", ("status",)
)
LOST_COMMANDS = Metric(
    "fitmonitor_lost_commands",
    Kind.COUNTER,
    _COMMAND_SENDERS,
    "Commands that Kafka did not take: `refused` at once, or `undelivered` by the deadline.",
    ("how",),
)
SCANS = Metric(
    "fitmonitor_scans",
    Kind.COUNTER,
    _CONSUMER,
    "Scans that were decided, by outcome and, when refused, by reason. A repeated scan counts once.",
    ("outcome", "reason"),
)
REPEATED_SCANS = Metric(
    "fitmonitor_repeated_scans", Kind.COUNTER, _CONSUMER, "Scans asked for again and given their first answer."
)
DECISION_SECONDS = Metric(
    "fitmonitor_decision_seconds",
    Kind.HISTOGRAM,
    _CONSUMER,
    "From a scan's arrival at the scanner to its decision, `too_late` ones included.",
    bounds=_SECONDS,
)
BATCH_COMMANDS = Metric(
    "fitmonitor_batch_commands", Kind.HISTOGRAM, _CONSUMER, "Commands decided in one transaction.", bounds=_SIZES
)
FAILED_BATCHES = Metric(
    "fitmonitor_failed_batches",
    Kind.COUNTER,
    _CONSUMER,
    "Transactions that failed and were tried again or cut smaller, by error.",
    ("error",),
)
LAG = Metric("fitmonitor_consumer_lag", Kind.GAUGE, _CONSUMER, "Commands that wait in the partitions of one consumer.")
LOST_REPLIES = Metric("fitmonitor_lost_replies", Kind.COUNTER, _CONSUMER, "Bundles of replies that Kafka did not take.")
DEAD_LETTERS = Metric(
    "fitmonitor_dead_letters", Kind.COUNTER, _CONSUMER, "Commands that could not be handled and were set aside."
)
OUTBOX_LAG = Metric(
    "fitmonitor_outbox_lag",
    Kind.GAUGE,
    _CONSUMER,
    "Events that wait to be published, counted to 10,000 and no further; 0 where another replica's relay is active.",
)
OUTBOX_AGE = Metric("fitmonitor_outbox_oldest_seconds", Kind.GAUGE, _CONSUMER, "How long the oldest of them waits.")
OUTBOX_ACTIVE = Metric(
    "fitmonitor_outbox_active", Kind.GAUGE, _CONSUMER, "1 where the relay has the lease. The sum should be 1."
)
OUTBOX_PUBLISHED = Metric("fitmonitor_outbox_published", Kind.COUNTER, _CONSUMER, "Events published.")
PAYMENT_LAG = Metric(
    "fitmonitor_payment_lag",
    Kind.GAUGE,
    _PAYMENT_CONSUMER,
    "Events of the payment provider that wait in its partitions.",
)
PAYMENT_EVENTS = Metric(
    "fitmonitor_payment_events", Kind.COUNTER, _PAYMENT_CONSUMER, "Events of the payment provider that were handled."
)
PAYMENT_DEAD_LETTERS = Metric(
    "fitmonitor_payment_dead_letters",
    Kind.COUNTER,
    _PAYMENT_CONSUMER,
    "Events of the payment provider that could not be handled and were set aside.",
)
RECONCILIATION_FAILURES = Metric(
    "fitmonitor_reconciliation_failures",
    Kind.COUNTER,
    _PAYMENT_CONSUMER,
    "Events, orders and refunds that a reconciliation could not deal with; each counts again in every round.",
)
LIVE_STREAMS = Metric("fitmonitor_live_streams", Kind.GAUGE, _LIVE, "Streams that are open.")
LIVE_READS = Metric(
    "fitmonitor_live_reads",
    Kind.COUNTER,
    _LIVE,
    "Gyms read for those who watch them: `ok`, `failed` when the gym could not be read, `refused` when there is none.",
    ("result",),
)
LIVE_UPDATES = Metric(
    "fitmonitor_live_updates", Kind.COUNTER, _LIVE, "Snapshots sent: one for each stream that took it."
)
LIVE_DELAY_SECONDS = Metric(
    "fitmonitor_live_delay_seconds",
    Kind.HISTOGRAM,
    _LIVE,
    "From the decision of a change to the snapshot that shows it being handed to the streams; of several changes the "
    "oldest.",
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
    LIVE_STREAMS,
    LIVE_READS,
    LIVE_UPDATES,
    LIVE_DELAY_SECONDS,
)


def table() -> str:
    """The list of all metrics as `docs/metrics.md` shows it."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{tag}`' for tag in metric.tags)} "
        f"| {metric.of} | {metric.description} |"
        for metric in METRICS
    ]
    return "\n".join(["| name | kind | tags | of | what |", "|---|---|---|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
