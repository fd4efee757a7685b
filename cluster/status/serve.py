"""The state of Ray Serve's applications, from Ray's metrics, the Serve configuration and the running processes.

The local stack runs Ray without its dashboard (docs/decisions/0007), whose REST API would tell the same.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

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
_REPLICA_TITLE = "ray::ServeReplica:"
_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a Prometheus metric."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """One deployment.

    Args:
        status: as Serve publishes it; `unknown` until then.
        running: number of replicas with a living process.
        healthy: number of replicas whose last health check passed when Serve last published; None until then.
        target: number of replicas that Serve wants; until it has published, the configured minimum.
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


def parse_samples(text: str, names: Collection[str]) -> Iterator[Sample]:
    """The samples of some metrics. Lines that are no samples are skipped.

    Args:
        text: https://prometheus.io/docs/instrumenting/exposition_formats/
        names: of the metrics, as in the text.
    """
    for name, labels, value in _SAMPLE.findall(text):
        if name in names:
            try:
                yield Sample(name, dict(_LABEL.findall(labels)), float(value))
            except ValueError:
                continue


def serve_state(
    configured: Mapping[str, Mapping[str, int]], samples: Collection[Sample], replicas: Mapping[str, int]
) -> Sequence[ApplicationState]:
    """Combine what three sources know.

    Args:
        configured: minimum replicas by application and deployment, as `read_configured` returns them.
        samples: of METRICS.
        replicas: number of living processes by `application:deployment`.
    """
    names = {name: list(deployments) for name, deployments in configured.items()}
    for sample in samples:
        known = names.setdefault(sample.labels.get("application", ""), [])
        if (deployment := sample.labels.get("deployment")) and deployment not in known:
            known.append(deployment)
    names.pop("", None)
    return [
        ApplicationState(
            name,
            _status(samples, APPLICATION_STATUS, _APPLICATION, application=name),
            tuple(_deployment(name, each, configured, samples, replicas) for each in deployments),
        )
        for name, deployments in names.items()
    ]


def read_configured(config: Path) -> dict[str, dict[str, int]]:
    """Read a Serve configuration.

    Returns:
        The minimum number of replicas by application and deployment; empty where the file cannot be read.
    """
    try:
        content: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
        return {
            application["name"]: {each["name"]: _minimum(each) for each in application.get("deployments", [])}
            for application in content["applications"]
        }
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return {}


def count_replicas(titles: Mapping[str, int]) -> dict[str, int]:
    """Replicas by `application:deployment`, from the titles that Ray gives to processes."""
    return {
        title.removeprefix(_REPLICA_TITLE): count for title, count in titles.items() if title.startswith(_REPLICA_TITLE)
    }


def _deployment(
    application: str,
    name: str,
    configured: Mapping[str, Mapping[str, int]],
    samples: Collection[Sample],
    replicas: Mapping[str, int],
) -> DeploymentState:
    def values(metric: str) -> list[float]:
        return list(_values(samples, metric, application=application, deployment=name))

    target = [int(value) for value in values(TARGET)]
    healthy = values(HEALTHY)
    return DeploymentState(
        name,
        _status(samples, DEPLOYMENT_STATUS, _DEPLOYMENT, application=application, deployment=name),
        running=replicas.get(f"{application}:{name}", 0),
        healthy=sum(value == 1 for value in healthy) if healthy else None,
        target=target[-1] if target else configured.get(application, {}).get(name),
    )


def _minimum(deployment: Mapping[str, Any]) -> int:
    scaling = deployment.get("autoscaling_config") or {}
    return int(scaling.get("min_replicas", deployment.get("num_replicas") or 1))


def _status(samples: Collection[Sample], metric: str, words: Mapping[int, str], **labels: str) -> str:
    found = list(_values(samples, metric, **labels))
    return words.get(int(found[-1]), UNKNOWN) if found else UNKNOWN


def _values(samples: Collection[Sample], metric: str, **labels: str) -> Iterator[float]:
    for sample in samples:
        if sample.name == metric and all(sample.labels.get(name) == value for name, value in labels.items()):
            yield sample.value
