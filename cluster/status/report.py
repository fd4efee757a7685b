"""All that is known of a stack at one moment."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from cluster.errors import CommandError
from cluster.local.parts import PartStatus, parts_of
from cluster.local.readiness import ask
from cluster.status.gyms import GymInside, gyms_inside
from cluster.status.kafka import DeadLetters, dead_letters, groups
from cluster.status.parallel import Answer, Question, Questions
from cluster.status.samples import Sample, read_samples
from cluster.status.serve import METRICS, ApplicationState, read_wanted, replicas_of, serve_state
from cluster.status.target import Target
from domain.clock import system_clock
from integrations.kafka.group_lag import GroupLag
from integrations.settings import Settings

_OK = 200
_SCANS = "ray_fitmonitor_scans_total"
_PUBLISHED_EVERY_S = 10.0  # what Ray publishes is a megabyte that says nothing new any sooner
_MEMORY_GOOD_FOR_S = 6.0  # the kernel adds up every page of every process for it
_MOST_METRICS = 64 * 1024 * 1024
_ELSEWHERE = "this stack runs elsewhere: ask on its machine"


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a stack.

    Args:
        http_status: of `/api/ready`; 0 where nothing answered.
        readiness: what it said, as JSON or as it was.
        scans: decided since the consumers' start, by outcome.
        troubles: by the name of what could not be asked, why.
    """

    at: datetime
    target: Target
    http_status: int
    readiness: object
    parts: Sequence[PartStatus] = ()
    serve: Sequence[ApplicationState] = ()
    scans: Mapping[str, int] = field(default_factory=dict)
    kafka: Sequence[GroupLag] = ()
    dead_letters: DeadLetters | None = None
    gyms: Sequence[GymInside] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> str | None:
        """The supervisor's word; None of a stack elsewhere."""
        return self.target.record.phase if self.target.record else None

    @property
    def ready(self) -> bool:
        """Whether doors are answered."""
        return self.http_status == _OK and self.phase in {"ready", None}

    @property
    def pss_mib(self) -> int:
        """Memory of all processes, shared pages counted once."""
        return sum(part.pss_mib for part in self.parts)

    @property
    def readiness_parts(self) -> Mapping[str, Mapping[str, Any]]:
        """What `/api/ready` said of each part; none where it said nothing of the kind."""
        said = self.readiness.get("parts") if isinstance(self.readiness, dict) else None
        return said if isinstance(said, dict) else {}


class Reporter:
    """Makes reports of one stack, as often as asked.

    Args:
        target: the stack; may be replaced by what is known of it later.
        within_s: how long each question may take, in seconds.
    """

    def __init__(self, target: Target, within_s: float) -> None:
        self.target = target
        self._questions = Questions(
            {
                "readiness": Question(lambda: ask(f"{self.target.url}/api/ready", within_s)),
                "parts": Question(self._parts, _MEMORY_GOOD_FOR_S),
                "serve": Question(self._samples, _PUBLISHED_EVERY_S),
                "kafka": Question(self._groups),
                "dead_letters": Question(self._dead_letters, _PUBLISHED_EVERY_S),
                "gyms": Question(lambda: gyms_inside(self._settings())),
            },
            within_s + 0.5,  # the client's own word on what hangs says more than ours
        )

    def report(self) -> Report:
        """The state now."""
        answers = self._questions.ask()
        status, body = cast("tuple[int, str]", answers["readiness"].value or (0, answers["readiness"].trouble))
        parts = cast("Sequence[PartStatus]", answers["parts"].value or ())
        samples = cast("Sequence[Sample]", answers["serve"].value or ())
        return Report(
            system_clock(),
            self.target,
            status,
            _parsed(body),
            parts,
            self._serve(samples, parts),
            _outcomes(samples),
            cast("Sequence[GroupLag]", answers["kafka"].value or ()),
            cast("DeadLetters | None", answers["dead_letters"].value),
            cast("Sequence[GymInside]", answers["gyms"].value or ()),
            _troubles(answers),
        )

    def _parts(self) -> Sequence[PartStatus]:
        if self.target.record is None:
            raise CommandError(_ELSEWHERE)
        return parts_of(self.target.record)

    def _samples(self) -> Sequence[Sample]:
        if self.target.record is None:
            raise CommandError(_ELSEWHERE)
        address = self.target.record.addresses["metrics"]
        status, body = ask(f"http://{address}/metrics", most_bytes=_MOST_METRICS)
        if status != _OK:
            raise CommandError(f"Ray's metrics at {address} cannot be read ({status or body})")
        return list(read_samples(body, {*METRICS, _SCANS}))

    def _groups(self) -> Sequence[GroupLag]:
        self._settings()
        return groups()

    def _dead_letters(self) -> DeadLetters:
        self._settings()
        return dead_letters()

    def _settings(self) -> Settings:
        if self.target.settings is None:
            raise CommandError(_ELSEWHERE)
        return self.target.settings

    def _serve(self, samples: Sequence[Sample], parts: Sequence[PartStatus]) -> Sequence[ApplicationState]:
        if self.target.record is None:
            return ()
        wanted = read_wanted(self.target.record.run_dir / "serve_config.yaml")
        return serve_state(wanted, samples, replicas_of({part.process: len(part.pids) for part in parts}))


def _outcomes(samples: Sequence[Sample]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for sample in samples:
        if sample.name == _SCANS:
            counts[sample.labels.get("outcome", "")] += int(sample.value)
    return dict(counts)


def _troubles(answers: Mapping[str, Answer[object]]) -> Mapping[str, str]:
    return {name: answer.trouble for name, answer in answers.items() if answer.trouble}


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body
