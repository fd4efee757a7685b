"""Whose CPU it is."""

import pytest

from cluster.load.benchmark.processes import ProcessUse, cpu_between, processes_of, role_of


def test_processes_that_come_and_go_are_counted_as_far_as_they_are_known() -> None:
    before = {(1, 0.0): ProcessUse("other", 1.0), (2, 0.0): ProcessUse("haproxy", 9.0)}
    # The first became a replica meanwhile, the second's pid was given to another process.
    after = {
        (1, 0.0): ProcessUse("gateway", 1.5),
        (2, 7.0): ProcessUse("haproxy", 0.25),
        (3, 8.0): ProcessUse("haproxy", 0.5),
    }
    assert cpu_between(before, after) == {"gateway": 0.5, "haproxy": 0.75}
    assert processes_of(after) == {"gateway": 1, "haproxy": 2}


@pytest.mark.parametrize(
    ("name", "title", "role"),
    [
        ("ray::ServeRepli", "ray::ServeReplica:api:Gateway", "gateway"),
        ("ray::ServeRepli", "ray::ServeReplica:api:Qr.check", "qr"),
        ("ray::ServeRepli", "ray::ServeReplica:door_consumers:DoorConsumer", "door_consumer"),
        ("ray::ServeRepli", "ray::ServeReplica:FastApiNoop:FastApiNoop", "fast_api_noop"),
        ("ray::ServeContr", "ray::ServeController.listen_for_change", "controller"),
        ("ray::HAProxyMan", "ray::HAProxyManager", "proxy_manager"),
        ("ray::IDLE", "ray::IDLE", "ray_other"),
        ("haproxy", "/x/haproxy", "haproxy"),
        ("java", "/usr/bin/java", "kafka"),
        ("mariadbd", "/usr/sbin/mariadbd", "mariadb"),
        ("gcs_server", "/x/gcs_server", "gcs"),
        ("python3", "/x/python3", "other"),
    ],
)
def test_a_process_is_known_by_its_title(name: str, title: str, role: str) -> None:
    assert role_of(name, title) == role
