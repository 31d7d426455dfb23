"""A service as a process of its own, started as the image starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from testkit.mongod import free_port


class Process:
    """One service as the image runs it: `python -m taskservice <command>`."""

    program: tuple[str, ...] = (sys.executable, "-m", "taskservice")

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self.port, self.management_port = free_port(), free_port()
        self.log = folder / f"{command}-{self.port}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKSERVICE_")}
        own = {
            "TASKSERVICE_HOST": "127.0.0.1",
            "TASKSERVICE_PORT": str(self.port),
            "TASKSERVICE_MANAGEMENT_PORT": str(self.management_port),
            "TASKSERVICE_REVISION": "rev-1",
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self.program, command],
                env=inherited | own | environment,
                stdout=log,
                stderr=log,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def lines(self) -> list[dict[str, Any]]:
        """Every log line; fails if one is not a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_until_ready(self, seconds: float = 60) -> "Process":
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = httpx2.get(f"{self.management_url}/readyz", timeout=2)
                if answer.status_code == 200:
                    return self
                last = answer.text
            except httpx2.HTTPError as error:
                last = repr(error)
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"not ready: {last}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 40) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """Stops it without closing anything: connections hang, as behind a broken network."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def keep_to(self, processor: int) -> None:
        """Lets it run on one processor only, where others are measured one after the other."""
        os.sched_setaffinity(self._process.pid, {processor})

    def resident_mib(self) -> float:
        """The memory that it holds now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

    def processor_seconds(self) -> float:
        """The processor time that it has used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
