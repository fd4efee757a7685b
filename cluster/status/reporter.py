"""Queries the services of a stack for a report."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from sqlalchemy import Connection

from cluster.cli.database import reading
from cluster.errors import CommandError
from cluster.local.http_probe import probe
from cluster.local.stack_processes import PartStatus, parts_of
from cluster.status.kafka import DeadLetterCount, consumer_groups, count_dead_letters
from cluster.status.parallel import ParallelQueries, Query
from cluster.status.report import GymOccupancy, Report
from cluster.status.serve import (
    METRICS,
    ApplicationState,
    Sample,
    count_replicas,
    parse_samples,
    read_configured,
    serve_state,
)
from cluster.status.target import Target
from domain.clock import system_clock
from domain.door.list_repository import ListRepository
from domain.gyms.model import Gym
from domain.gyms.repository import GymRepository
from domain.paging import PageRequest
from integrations.kafka.group_lag import GroupLag
from integrations.settings import Settings

_OK = 200
_SCANS = "ray_fitmonitor_scans_total"
_METRICS_CACHE_S = 10.0  # Ray publishes a megabyte of metrics every 10 s
_MEMORY_CACHE_S = 6.0  # the kernel adds up all pages of all processes
_METRICS_MAX_BYTES = 64 * 1024 * 1024
_PAGE = 200
_REMOTE = "this stack runs on another machine: run `fitmonitor status` there"


class Reporter:
    """Makes reports of one stack.

    Args:
        target: the stack; may be replaced when more is known about it.
        timeout_s: of each query, in seconds.
    """

    def __init__(self, target: Target, timeout_s: float) -> None:
        self.target = target
        self._queries = ParallelQueries(
            {
                "readiness": Query(lambda: probe(f"{self.target.url}/api/ready", timeout_s)),
                "parts": Query(self._parts, _MEMORY_CACHE_S),
                "serve": Query(self._samples, _METRICS_CACHE_S),
                "kafka": Query(self._groups),
                "dead_letters": Query(self._dead_letters, _METRICS_CACHE_S),
                "gyms": Query(lambda: _gyms(self._settings())),
            },
            timeout_s + 0.5,  # a client's own timeout has the better error message
        )

    def report(self) -> Report:
        """Query everything now."""
        results = self._queries.run()
        status, body = cast("tuple[int, str]", results["readiness"].value or (0, results["readiness"].error))
        parts = cast("Sequence[PartStatus]", results["parts"].value or ())
        samples = cast("Sequence[Sample]", results["serve"].value or ())
        return Report(
            at=system_clock(),
            target=self.target,
            http_status=status,
            readiness=_parsed(body),
            parts=parts,
            serve=self._serve(samples, parts),
            scans=_scans_by_outcome(samples),
            kafka=cast("Sequence[GroupLag]", results["kafka"].value or ()),
            dead_letters=cast("DeadLetterCount | None", results["dead_letters"].value),
            gyms=cast("Sequence[GymOccupancy]", results["gyms"].value or ()),
            errors={name: result.error for name, result in results.items() if result.error},
        )

    def _parts(self) -> Sequence[PartStatus]:
        if self.target.record is None:
            raise CommandError(_REMOTE)
        return parts_of(self.target.record)

    def _samples(self) -> Sequence[Sample]:
        if self.target.record is None:
            raise CommandError(_REMOTE)
        address = self.target.record.addresses["metrics"]
        status, body = probe(f"http://{address}/metrics", most_bytes=_METRICS_MAX_BYTES)
        if status != _OK:
            raise CommandError(f"Ray's metrics at {address} cannot be read ({status or body})")
        return list(parse_samples(body, {*METRICS, _SCANS}))

    def _groups(self) -> Sequence[GroupLag]:
        self._settings()
        return consumer_groups()

    def _dead_letters(self) -> DeadLetterCount:
        self._settings()
        return count_dead_letters()

    def _settings(self) -> Settings:
        if self.target.settings is None:
            raise CommandError(_REMOTE)
        return self.target.settings

    def _serve(self, samples: Sequence[Sample], parts: Sequence[PartStatus]) -> Sequence[ApplicationState]:
        if self.target.record is None:
            return ()
        configured = read_configured(self.target.record.run_dir / "serve_config.yaml")
        return serve_state(configured, samples, count_replicas({part.process: len(part.pids) for part in parts}))


def _gyms(settings: Settings) -> Sequence[GymOccupancy]:
    """The occupancy of all active gyms.

    Raises:
        CommandError: the database is unavailable.
    """
    with reading(settings) as connection:
        queries = ListRepository(connection)
        return [
            GymOccupancy(gym.id, gym.name, counted.occupancy, counted.capacity)
            for gym in _active_gyms(connection)
            if (counted := queries.occupancy(gym.id)) is not None
        ]


def _active_gyms(connection: Connection) -> Iterator[Gym]:
    request: PageRequest | None = PageRequest(_PAGE)
    while request is not None:
        page = GymRepository(connection).gyms(request)
        yield from page.items
        request = PageRequest(_PAGE, page.next) if page.next else None


def _scans_by_outcome(samples: Sequence[Sample]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for sample in samples:
        if sample.name == _SCANS:
            counts[sample.labels.get("outcome", "")] += int(sample.value)
    return dict(counts)


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body
