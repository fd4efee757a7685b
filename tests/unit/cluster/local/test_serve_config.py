from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.errors import CommandError
from cluster.local.folders import serve_config_file
from cluster.local.serve_config import write_serve_config
from integrations.settings import ConsumerSettings, DatabaseSettings, Profile, Settings


def written(
    tmp_path: Path, consumers: ConsumerSettings | None = None, profile: Profile = Profile.FULL
) -> dict[str, Any]:
    target = tmp_path / "serve.yaml"
    wanted = Settings(profile=profile, port=8123, data_dir=tmp_path, consumers=consumers or ConsumerSettings())
    write_serve_config(serve_config_file(), target, wanted)
    config: dict[str, Any] = yaml.safe_load(target.read_text(encoding="utf-8"))
    return config


def scaling(config: dict[str, Any]) -> tuple[int, int, float]:
    (found,) = (each for app in config["applications"] for each in app["deployments"] if each["name"] == "DoorConsumer")
    chosen = found["autoscaling_config"]
    return chosen["min_replicas"], chosen["max_replicas"], chosen["downscale_delay_s"]


def test_port_and_host_are_set(tmp_path: Path) -> None:
    config = written(tmp_path)
    assert (config["http_options"]["host"], config["http_options"]["port"]) == ("127.0.0.1", 8123)
    assert config["applications"][0]["import_path"] == "deployments.gateway.app:build"


def test_gym_handles_no_more_requests_than_it_has_database_connections(tmp_path: Path) -> None:
    (api,) = (app for app in written(tmp_path)["applications"] if app["name"] == "api")
    (found,) = (each for each in api["deployments"] if each["name"] == "Gym")
    assert found["max_ongoing_requests"] <= DatabaseSettings().pool_size


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ConsumerSettings(), (1, 4, 300)),
        (ConsumerSettings(min=1, max=1), (1, 1, 300)),
        (ConsumerSettings(max=1), (1, 1, 300)),
        (ConsumerSettings(min=2), (2, 4, 300)),
        (ConsumerSettings(min=6), (6, 6, 300)),
        (ConsumerSettings(max=8, scale_down_after_s=5), (1, 8, 5)),
    ],
)
def test_the_number_of_consumers_is_set(
    tmp_path: Path, wanted: ConsumerSettings, found: tuple[int, int, float]
) -> None:
    assert scaling(written(tmp_path, wanted)) == found


def test_the_embedded_profile_has_one_consumer(tmp_path: Path) -> None:
    assert scaling(written(tmp_path, ConsumerSettings(min=2, max=4), Profile.EMBEDDED))[:2] == (1, 1)


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="the minimum of 3 consumers exceeds the maximum of 2"):
        written(tmp_path, ConsumerSettings(min=3, max=2))


@pytest.mark.parametrize("content", ["[", "text", ""])
def test_a_file_that_is_not_a_configuration_is_refused(tmp_path: Path, content: str) -> None:
    source = tmp_path / "serve.yaml"
    source.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match="not a Serve configuration"):
        write_serve_config(source, tmp_path / "target.yaml", Settings(data_dir=tmp_path))


@pytest.mark.parametrize("name", ["default_stage", "live", "archive"])
def test_a_disabled_application_is_left_out(tmp_path: Path, name: str) -> None:
    names = {}
    for enabled in (True, False):
        target = tmp_path / f"{enabled}.yaml"
        write_serve_config(serve_config_file(), target, Settings.model_validate({name: {"enabled": enabled}}))
        names[enabled] = {app["name"] for app in yaml.safe_load(target.read_text())["applications"]}
    assert names[True] == {"api", "scans", "live", "default_stage", "door_consumers", "payment_consumers", "archive"}
    assert names[True] - names[False] == {name}
