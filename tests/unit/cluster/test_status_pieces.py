"""What a status is put together from."""

import threading
from pathlib import Path

import pytest

from cluster.errors import CommandError
from cluster.status.kafka import Rates, rates
from cluster.status.parallel import Question, Questions
from cluster.status.samples import read_samples
from cluster.status.serve import METRICS, DeploymentState, read_wanted, replicas_of, serve_state
from tests.unit.cluster.status_reports import group

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


# Questions


def test_one_that_hangs_or_fails_costs_the_others_nothing() -> None:
    held = threading.Event()

    def fails() -> None:
        raise ValueError("the first line\nthe second")

    def refuses() -> None:
        raise CommandError("no Kafka is named", "name one")

    asked = Questions(
        {
            "hangs": Question(held.wait),
            "fails": Question(fails),
            "refuses": Question(refuses),
            "answers": Question(lambda: 7),
        },
        within_s=0.3,
    )
    answers = asked.ask()
    held.set()
    assert answers["answers"].value == 7
    assert {name: answer.trouble for name, answer in answers.items()} == {
        "hangs": "no answer within 0.3 s",
        "fails": "ValueError: the first line",
        "refuses": "no Kafka is named: name one",
        "answers": "",
    }


def test_what_hangs_is_not_asked_again_and_heard_once_it_answers() -> None:
    held, asked = threading.Event(), []

    def hangs() -> int:
        asked.append(1)
        held.wait()
        return len(asked)

    questions = Questions({"hangs": Question(hangs)}, within_s=0.05)
    assert [questions.ask()["hangs"].value for _ in range(3)] == [None] * 3
    assert len(asked) == 1
    held.set()
    assert questions.ask()["hangs"].value is not None


def test_what_is_good_for_a_while_is_asked_once_and_trouble_at_once_again() -> None:
    asked: list[str] = []

    def fails() -> None:
        asked.append("fails")
        raise ValueError

    def answers() -> str:
        asked.append("answers")
        return "value"

    questions = Questions({"answers": Question(answers, 60), "fails": Question(fails, 60)}, within_s=5)
    for _ in range(3):
        assert questions.ask()["answers"].value == "value"
    assert sorted(asked) == ["answers", "fails", "fails", "fails"]


# Serve


def test_serves_word_and_the_living_processes_are_told_together() -> None:
    samples = list(read_samples(PUBLISHED, METRICS))
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


def test_only_what_is_wanted_is_read_and_labels_may_hold_anything() -> None:
    (sample,) = read_samples(PUBLISHED, {"ray_fitmonitor_scans_total", "ray_serve_num_router_requests_total"})
    assert sample.value == 2
    assert sample.labels["outcome"] == "refused"
    assert set(sample.labels) == {"outcome", "reason"}


def test_replicas_are_known_by_the_titles_of_their_processes() -> None:
    titles = {"ray::ServeReplica:api:Gym": 2, "ray::ServeController": 1, "mock_broker": 1}
    assert replicas_of(titles) == {"api:Gym": 2}


def test_the_shipped_configuration_says_what_is_wanted(tmp_path: Path) -> None:
    wanted = read_wanted(Path(__file__).parents[3] / "serve_config.yaml")
    assert wanted["api"]["Gateway"] == 1
    assert "DoorConsumer" in wanted["door_consumers"]
    (tmp_path / "broken.yaml").write_text("applications: [1, 2")
    assert read_wanted(tmp_path / "broken.yaml") == read_wanted(tmp_path / "none.yaml") == {}


# Kafka


def test_rates_are_what_went_through_between_two_looks() -> None:
    before, after = [group("door", "t", 20, end=100)], [group("door", "t", 5, end=160)]
    assert rates(before, after, 10) == {"door": Rates(written=6.0, handled=7.5)}


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_a_broker_that_began_anew_has_no_rate(seconds: float) -> None:
    assert rates([group("door", "t", end=100)], [group("door", "t", end=3)], seconds) == {}
    assert rates([], [group("door", "t")], seconds) == {}
