"""What Ray Serve runs: its own word from the metrics, what was asked for, and the processes that live.

The local stack runs Ray without its dashboard (docs/decisions/0007), whose REST interface would tell the same.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.status.samples import Sample

METRICS = (
    APPLICATION_STATUS := "ray_serve_application_status",
    DEPLOYMENT_STATUS := "ray_serve_deployment_status",
    HEALTHY := "ray_serve_deployment_replica_healthy",
    TARGET := "ray_serve_autoscaling_target_replicas",
)
UNKNOWN = "unknown"
# Ray 2.60, `ApplicationStatus.to_numeric` and `DeploymentStatus.to_numeric`.
_APPLICATION = {1: "deploy failed", 2: "unhealthy", 3: "not started", 4: "deleting", 5: "deploying", 6: "running"}
_DEPLOYMENT = {1: "deploy failed", 2: "unhealthy", 3: "updating", 4: "upscaling", 5: "downscaling", 6: "healthy"}
_TITLE = "ray::ServeReplica:"


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """One deployment.

    Args:
        status: Serve's word; `unknown` until it has published one.
        running: replicas whose processes live now.
        healthy: replicas that passed their last check when Serve last published; None until it has.
        target: how many Serve wants; before it has published, the fewest that were asked for.
    """

    name: str
    status: str
    running: int
    healthy: int | None
    target: int | None


@dataclass(frozen=True, slots=True)
class ApplicationState:
    """One application with its deployments."""

    name: str
    status: str
    deployments: tuple[DeploymentState, ...]


def serve_state(
    wanted: Mapping[str, Mapping[str, int]], samples: Collection[Sample], replicas: Mapping[str, int]
) -> Sequence[ApplicationState]:
    """Put together what three sources say.

    Args:
        wanted: applications, their deployments, and the fewest replicas of each, as `read_wanted` gives them.
        samples: of METRICS.
        replicas: living processes by `application:deployment`.
    """
    names = {name: list(deployments) for name, deployments in wanted.items()}
    for sample in samples:
        known = names.setdefault(sample.labels.get("application", ""), [])
        if (deployment := sample.labels.get("deployment")) and deployment not in known:
            known.append(deployment)
    names.pop("", None)
    return [
        ApplicationState(
            name,
            _status(samples, APPLICATION_STATUS, _APPLICATION, application=name),
            tuple(_deployment(name, each, wanted, samples, replicas) for each in deployments),
        )
        for name, deployments in names.items()
    ]


def _deployment(
    application: str,
    name: str,
    wanted: Mapping[str, Mapping[str, int]],
    samples: Collection[Sample],
    replicas: Mapping[str, int],
) -> DeploymentState:
    def told(metric: str) -> list[float]:
        return list(_values(samples, metric, application=application, deployment=name))

    target = [int(value) for value in told(TARGET)]
    healthy = told(HEALTHY)
    return DeploymentState(
        name,
        _status(samples, DEPLOYMENT_STATUS, _DEPLOYMENT, application=application, deployment=name),
        running=replicas.get(f"{application}:{name}", 0),
        healthy=sum(value == 1 for value in healthy) if healthy else None,
        target=target[-1] if target else wanted.get(application, {}).get(name),
    )


def read_wanted(config: Path) -> dict[str, dict[str, int]]:
    """What the Serve configuration of a stack asks for; empty where it cannot be read.

    Returns:
        Of each application its deployments, and of each deployment the fewest replicas.
    """
    try:
        content: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
        return {
            application["name"]: {each["name"]: _fewest(each) for each in application.get("deployments", [])}
            for application in content["applications"]
        }
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return {}


def replicas_of(titles: Mapping[str, int]) -> dict[str, int]:
    """Replicas by `application:deployment`, from the titles that Ray gives to processes."""
    return {title.removeprefix(_TITLE): count for title, count in titles.items() if title.startswith(_TITLE)}


def _fewest(deployment: Mapping[str, Any]) -> int:
    scaling = deployment.get("autoscaling_config") or {}
    return int(scaling.get("min_replicas", deployment.get("num_replicas") or 1))


def _status(samples: Collection[Sample], metric: str, words: Mapping[int, str], **labels: str) -> str:
    found = list(_values(samples, metric, **labels))
    return words.get(int(found[-1]), UNKNOWN) if found else UNKNOWN


def _values(samples: Collection[Sample], metric: str, **labels: str) -> Iterator[float]:
    for sample in samples:
        if sample.name == metric and all(sample.labels.get(name) == value for name, value in labels.items()):
            yield sample.value
