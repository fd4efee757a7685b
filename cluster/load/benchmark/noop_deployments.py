"""Deploys the no-ops: `python -m cluster.load.benchmark.noop_deployments deploy|remove ADDRESS CONFIG`.

One deployment has a FastAPI route, the other a Starlette one; neither has anything of this project around it.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
import yaml
from fastapi import FastAPI
from ray import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from cluster.load.benchmark.noop import FASTAPI, LEAN, PATHS

_INGRESS_APP, _INGRESS = "api", "Gateway"


def fastapi_noop() -> ASGIApp:
    """One FastAPI route; built on the replica."""
    app = FastAPI()

    @app.get("/")
    async def noop() -> dict[str, bool]:
        return {"ok": True}

    return app


def lean_noop() -> ASGIApp:
    """One Starlette route; built on the replica."""

    async def noop(_request: Request) -> JSONResponse:
        return JSONResponse({"ok": True})

    return Starlette(routes=[Route("/", noop)])


_BUILDERS: Mapping[str, Callable[[], ASGIApp]] = {FASTAPI: fastapi_noop, LEAN: lean_noop}


def options_of_gateway(config: Mapping[str, Any]) -> dict[str, Any]:
    """The resources that a Serve configuration gives the gateway, as options for another deployment."""
    applications = {app["name"]: app for app in config.get("applications", [])}
    deployments = {each["name"]: each for each in applications.get(_INGRESS_APP, {}).get("deployments", [])}
    gateway = deployments.get(_INGRESS, {})
    return {
        "ray_actor_options": {"num_cpus": gateway.get("ray_actor_options", {}).get("num_cpus", 0.1)},
        "max_ongoing_requests": gateway.get("max_ongoing_requests", 1024),
        "num_replicas": 1,
    }


def deploy(config: Path) -> None:
    """Deploy both and wait until they run."""
    options = options_of_gateway(yaml.safe_load(config.read_text(encoding="utf-8")))
    for name, build in _BUILDERS.items():
        deployment = serve.deployment(name=name, **options)(serve.ingress(build)())
        serve.run(deployment.bind(), name=name, route_prefix=PATHS[name])


def remove() -> None:
    """Remove both."""
    for name in _BUILDERS:
        serve.delete(name)


def main(action: str, address: str, config: Path) -> int:
    """Connect to the stack's Ray, deploy or remove, disconnect."""
    ray.init(address=address, namespace="serve", log_to_driver=False)
    try:
        if action == "deploy":
            deploy(config)
        else:
            remove()
    finally:
        ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
