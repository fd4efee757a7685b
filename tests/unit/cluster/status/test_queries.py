"""Parallel queries, Ray Serve's state and Kafka rates of a status report."""

import threading
from pathlib import Path

import pytest

from cluster.errors import CommandError
from cluster.status.kafka import Rates, rates
from cluster.status.parallel import ParallelQueries, Query
from cluster.status.serve import METRICS, DeploymentState, count_replicas, parse_samples, read_configured, serve_state
from tests.unit.cluster.status.sample_reports import group

# As Ray 2.60 publishes it, without what says where it comes from.
PUBLISHED = """\
# HELP ray_serve_application_status Numeric status of application. 0=UNKNOWN, 1=DEPLOY_FAILED
# TYPE ray_serve_application_status gauge
ray_serve_application_status{WorkerId="06",application="api"} 6.0
ray_serve_application_status{WorkerId="06",application="live"} 1.0
ray_serve_deployment_status{WorkerId="06",application="api",deployment="Gateway"} 6.0
ray_serve_deployment_status{WorkerId="06",application="api",deployment="Gym"} 4.0
ray_serve_autoscaling_target_replicas{WorkerId="06",application="api",deployment="Gateway"} 1.0
ray_serve_autoscaling_target_replicas{WorkerId="06",application="api",deployment="Gym"} 3.0
ray_serve_deployment_replica_healthy{application="api",deployment="Gym",replica="a"} 1.0
ray_serve_deployment_replica_healthy{application="api",deployment="Gym",replica="b"} 0.0
ray_serve_deployment_replica_healthy{application="api",deployment="Gateway",replica="c"} 1.0
ray_fitmonitor_scans_total{outcome="refused",reason="a \\"b\\" {c}, d=\\"e\\""} 2.0
ray_serve_num_router_requests_total{application="api",deployment="Gym"} nonsense
"""
WANTED = {"api": {"Gateway": 1, "Gym": 1}, "door_consumers": {"DoorConsumer": 2}}


# Queries


def test_a_query_that_hangs_or_fails_does_not_affect_the_others() -> None:
    held = threading.Event()

    def fails() -> None:
        raise ValueError("the first line\nthe second")

    def refuses() -> None:
        raise CommandError("no Kafka is named", "name one")

    asked = ParallelQueries(
        {
            "hangs": Query(held.wait),
            "fails": Query(fails),
            "refuses": Query(refuses),
            "answers": Query(lambda: 7),
        },
        timeout_s=0.3,
    )
    results = asked.run()
    held.set()
    assert results["answers"].value == 7
    assert {name: result.error for name, result in results.items()} == {
        "hangs": "no answer within 0.3 s",
        "fails": "ValueError: the first line",
        "refuses": "no Kafka is named: name one",
        "answers": "",
    }


def test_a_query_that_hangs_is_not_run_again_and_its_value_is_returned_once_it_ends() -> None:
    held, asked = threading.Event(), []

    def hangs() -> int:
        asked.append(1)
        held.wait()
        return len(asked)

    queries = ParallelQueries({"hangs": Query(hangs)}, timeout_s=0.05)
    assert [queries.run()["hangs"].value for _ in range(3)] == [None] * 3
    assert len(asked) == 1
    held.set()
    assert queries.run()["hangs"].value is not None


def test_a_cached_value_is_reused_and_an_error_is_not() -> None:
    asked: list[str] = []

    def fails() -> None:
        asked.append("fails")
        raise ValueError

    def answers() -> str:
        asked.append("answers")
        return "value"

    queries = ParallelQueries({"answers": Query(answers, 60), "fails": Query(fails, 60)}, timeout_s=5)
    for _ in range(3):
        assert queries.run()["answers"].value == "value"
    assert sorted(asked) == ["answers", "fails", "fails", "fails"]


# Serve


def test_metrics_and_living_processes_are_combined() -> None:
    samples = list(parse_samples(PUBLISHED, METRICS))
    api, consumers, live = serve_state(WANTED, samples, {"api:Gym": 2})
    assert (api.name, api.status) == ("api", "running")
    assert api.deployments == (
        DeploymentState("Gateway", "healthy", running=0, healthy=1, target=1),
        DeploymentState("Gym", "upscaling", running=2, healthy=1, target=3),
    )
    assert (live.name, live.status, live.deployments) == ("live", "deploy failed", ())
    # Wanted, and not heard of yet.
    assert (consumers.name, consumers.status) == ("door_consumers", "unknown")
    assert consumers.deployments == (DeploymentState("DoorConsumer", "unknown", 0, None, 2),)


def test_only_the_named_metrics_are_parsed_and_labels_may_have_any_text() -> None:
    (sample,) = parse_samples(PUBLISHED, {"ray_fitmonitor_scans_total", "ray_serve_num_router_requests_total"})
    assert sample.value == 2
    assert sample.labels["outcome"] == "refused"
    assert set(sample.labels) == {"outcome", "reason"}


def test_replicas_are_counted_by_process_titles() -> None:
    titles = {"ray::ServeReplica:api:Gym": 2, "ray::ServeController": 1, "mock_broker": 1}
    assert count_replicas(titles) == {"api:Gym": 2}


def test_the_shipped_configuration_is_readable(tmp_path: Path) -> None:
    wanted = read_configured(Path(__file__).parents[4] / "serve_config.yaml")
    assert wanted["api"]["Gateway"] == 1
    assert "DoorConsumer" in wanted["door_consumers"]
    (tmp_path / "broken.yaml").write_text("applications: [1, 2")
    assert read_configured(tmp_path / "broken.yaml") == read_configured(tmp_path / "none.yaml") == {}


# Kafka


def test_rates_are_differences_between_two_reports() -> None:
    before, after = [group("door", "t", 20, end=100)], [group("door", "t", 5, end=160)]
    assert rates(before, after, 10) == {"door": Rates(written=6.0, handled=7.5)}


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_a_broker_whose_offsets_were_reset_has_no_rate(seconds: float) -> None:
    assert rates([group("door", "t", end=100)], [group("door", "t", end=3)], seconds) == {}
    assert rates([], [group("door", "t")], seconds) == {}
