"""An operator as a process of its own, for tests: started, asked, stopped, paused and killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from taskservice_operator.settings import PREFIX

START_SECONDS = 30.0


class OperatorProcess:
    """``python -m taskservice_operator`` on a free port, with its log in a file."""

    def __init__(self, kubeconfig: Path, log: Path, settings: Mapping[str, str]) -> None:
        self._log = log
        env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        env |= {f"{PREFIX}{name}": value for name, value in {"PORT": "0", **settings}.items()}
        env |= {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
        env.pop("KUBERNETES_SERVICE_HOST", None)
        with log.open("wb") as sink:
            command = [sys.executable, "-m", "taskservice_operator"]
            self._process = subprocess.Popen(command, env=env, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        text = self._log.read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def events(self) -> list[str]:
        """The static names of the log's lines."""
        return [line["event"] for line in self.lines]

    async def ready(self) -> None:
        """Wait until /readyz says so.  Raises AssertionError with the log if it does not."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            if "operator_started" in self.events() and (await self.ask("/readyz"))[0] == 200:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"the operator did not become ready:\n{self._log.read_text()[-4000:]}")

    async def ask(self, path: str) -> tuple[int, str]:
        """GET a path of its port: status and text; 0 when nobody answers."""
        port = next(line["port"] for line in self.lines if line["event"] == "operator_started")
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://127.0.0.1:{port}{path}") as response,
            ):
                return response.status, await response.text()
        except (TimeoutError, aiohttp.ClientError):
            return 0, ""

    async def writes(self) -> float:
        """API writes so far, those to the lease left out."""
        _, text = await self.ask("/metrics")
        lines = [line for line in text.splitlines() if line.startswith("taskservice_api_writes_total{")]
        return sum(float(line.split()[-1]) for line in lines if 'kind="Lease"' not in line)

    async def is_leader(self) -> bool:
        return "taskservice_leader 1.0" in (await self.ask("/metrics"))[1]

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def ended(self, seconds: float = 20) -> int:
        """Wait for the end and return the exit status."""
        return await asyncio.to_thread(self._process.wait, seconds)
