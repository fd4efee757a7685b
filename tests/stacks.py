"""Stacks for tests: started and stopped by the command, in a folder and on a port of their own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from cluster.local.http_probe import probe
from cluster.local.ports import free_port
from cluster.local.process import wait_gone
from cluster.local.stack_record import StackRecord, read_record
from tests.waiting import wait_until

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")
# Twenty seconds on a quiet machine; tests of others may keep this one busy.
STARTS_WITHIN_S = 240.0


class TestedStack:
    """One stack, which survives the tests' own mistakes as little as possible."""

    __test__ = False

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        profile: str = "embedded",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = folder / "data"
        self.port = port or free_port()
        self.log = folder / "up.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
        # Each application makes a start longer; the tests that ask these say so.
        self.environment["FITMONITOR_DEFAULT_STAGE__ENABLED"] = "false"
        self.environment["FITMONITOR_LIVE__ENABLED"] = "false"
        self.environment |= environment or {}
        self.environment["FITMONITOR_PROFILE"] = profile
        self.environment["FITMONITOR_DATA_DIR"] = str(self.data_dir)
        self.environment["FITMONITOR_PORT"] = str(self.port)
        self._up: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        with self.log.open("wb") as log:
            self._up = subprocess.Popen(
                [_FITMONITOR, "up", "--demo"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        self.wait_said("ready after")

    def wait_said(self, words: str) -> None:
        """Wait until `up` has printed something."""
        wait_until(lambda: words in self.said() or self._has_ended, STARTS_WITHIN_S, self._why)
        assert words in self.said(), self._why()

    @property
    def _has_ended(self) -> bool:
        return self._up is None or self._up.poll() is not None

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def send(self, what: signal.Signals) -> int:
        """Signal the supervisor and wait for its end."""
        assert self._up is not None
        self._up.send_signal(what)
        return self._up.wait(60)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_FITMONITOR, *words], env=self.environment, capture_output=True, text=True, timeout=150, check=False
        )

    def down(self) -> subprocess.CompletedProcess[str]:
        done = self.run("down")
        if self._up is not None:
            self._up.wait(60)
        return done

    def said(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace")) if self.log.exists() else ""

    def _why(self) -> str:
        log = self.data_dir / "logs" / "deployment.log"
        return self.said() + "\n" + (log.read_text(errors="replace") if log.exists() else "")

    def redeploy(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Deploy the stack's configuration with a change, as `up` deploys it, and wait until it runs."""
        record = self.record
        ray = record.processes["Ray"].find()
        assert ray is not None
        config = yaml.safe_load((record.run_dir / "serve_config.yaml").read_text(encoding="utf-8"))
        change(config)
        changed = record.run_dir / "changed_config.yaml"
        changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        go = record.run_dir / "prepared"  # there since the stack's start
        done = subprocess.run(
            [sys.executable, "-m", "cluster.local.deploy", changed, record.addresses["ray"], go],
            env=ray.environ(),
            cwd=record.run_dir,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            start_new_session=True,  # Linux shares the cores among sessions: its work must not count as the doors'
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def times_ready(self) -> int:
        """How often the supervisor has found the public port ready."""
        return len(re.findall(r"^ +[\d.]+ s  ready [\d.]+ s$", self.said(), re.MULTILINE))

    @property
    def record(self) -> StackRecord:
        found = read_record(self.data_dir)
        assert found is not None
        return found

    @property
    def is_ready(self) -> bool:
        return probe(f"http://127.0.0.1:{self.port}/api/ready")[0] == 200

    def processes(self) -> list[psutil.Process]:
        return list(self.record.members())

    def demo(self) -> str:
        content = (self.data_dir / "demo.json").read_text(encoding="utf-8")
        assert json.loads(content)["members"]
        return content


def living(processes: list[psutil.Process]) -> list[str]:
    """Those that have not ended, a moment's grace given."""
    return [" ".join(process.cmdline())[:120] for process in wait_gone(processes, 5)]
