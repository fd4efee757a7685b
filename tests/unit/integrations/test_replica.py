"""Whatever a deployment has opened is closed, also where its start fails half-way."""

import importlib
import inspect
import pkgutil
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

import consumers
import deployments
from consumers.health import ConsumerUnhealthyError
from integrations.replica import OpenResources, Replica

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.serve import Deployment


def served() -> list[type[object]]:
    """Every class that Serve runs, wherever it is: those that Serve can ask whether they are well, or for an answer."""
    found: set[type[object]] = set()
    for package in (deployments, consumers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("deployment"):
                for value in vars(importlib.import_module(module.name)).values():
                    one = value.func_or_class if isinstance(value, Deployment) else value
                    if inspect.isclass(one) and one.__module__ == module.name and not issubclass(one, BaseException):
                        found.add(one)
    return sorted(found, key=lambda one: one.__name__)


def test_all_deployments_are_looked_at() -> None:
    names = {one.__name__ for one in served()}
    assert names == {
        *("Gateway", "GymDeployment", "IdentityDeployment", "PaymentsDeployment"),
        *("QrIssuer", "QrScanner", "Live", "DefaultStage"),
        *("DoorConsumer", "PaymentConsumer", "ArchiveConsumer"),
    }


@pytest.mark.parametrize("one", served(), ids=lambda one: one.__name__)
@pytest.mark.filterwarnings("error")
def test_a_deployment_whose_start_has_failed_ends_without_another_error(one: type[object]) -> None:
    assert issubclass(one, Replica)
    made = one.__new__(one)
    made.__del__()  # before its constructor has done anything
    closed: list[str] = []
    made.resources.add("opened", lambda: closed.append("opened"))
    made.__del__()
    made.__del__()
    assert closed == ["opened"]


def test_what_was_opened_last_is_closed_first_whatever_one_of_them_raises() -> None:
    closed: list[str] = []
    resources = OpenResources()

    def fails() -> None:
        closed.append("second")
        raise OSError

    resources.add("first", lambda: closed.append("first"))
    resources.add("second", fails)
    resources.add("third", lambda: closed.append("third"))
    resources.close()
    resources.close()
    assert closed == ["third", "second", "first"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["Gateway", "QrScanner", "Live", "DefaultStage"])
async def test_a_dead_task_makes_a_replica_unhealthy(name: str) -> None:
    (one,) = (each for each in served() if each.__name__ == name)
    replica: Any = one.__new__(one)
    lifespan = SimpleNamespace(dead=[])
    well = SimpleNamespace(healthy=True, check=lambda: None)
    replica._commands = replica._events = replica._replies = replica._producer = replica._verifier = well  # noqa: SLF001 - without Ray there is no other way
    replica._app = SimpleNamespace(lifespan=lifespan)  # noqa: SLF001
    replica._view = SimpleNamespace(app=replica._app)  # noqa: SLF001
    await replica.check_health()
    lifespan.dead = ["cache"]
    with pytest.raises(Exception, match="dead tasks: cache"):
        await replica.check_health()


@pytest.mark.parametrize("dead", ["_relay", "_forgotten_visits"])
def test_a_consumer_whose_thread_is_dead_is_unhealthy(dead: str) -> None:
    (one,) = (each for each in served() if each.__name__ == "DoorConsumer")
    replica: Any = one.__new__(one)
    replica._loop = SimpleNamespace(alive=True, heartbeat_age_s=0.0)  # noqa: SLF001 - as above
    replica._relay = SimpleNamespace(healthy=True)  # noqa: SLF001
    replica._forgotten_visits = SimpleNamespace(healthy=True)  # noqa: SLF001
    replica.check_health()
    getattr(replica, dead).healthy = False
    with pytest.raises(ConsumerUnhealthyError):
        replica.check_health()


@pytest.mark.parametrize("dead", ["reminders", "reconciler"])
def test_a_consumer_of_payments_whose_job_is_dead_is_unhealthy(dead: str) -> None:
    (one,) = (each for each in served() if each.__name__ == "PaymentConsumer")
    replica: Any = one.__new__(one)
    replica._loop = None  # noqa: SLF001 - as above
    replica._jobs = {name: SimpleNamespace(healthy=True) for name in ("reminders", "reconciler")}  # noqa: SLF001
    replica.check_health()
    replica._jobs[dead].healthy = False  # noqa: SLF001
    with pytest.raises(ConsumerUnhealthyError):
        replica.check_health()
