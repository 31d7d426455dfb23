"""A part that this machine builds (Jaeger, Loki, the collector), as a process of a test."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from taskservice_local import builder
from taskservice_local.errors import LocalError
from testkit.mongod import PartUnavailable


class BuiltPart:
    """A context manager: ready on entry, ended on exit.  Built first where it is not in the cache.

    ``flag``: how the program is told its configuration; ``ready``: an address that answers 200 once it is ready.
    """

    def __init__(self, program: str, folder: Path, configuration: dict[str, Any], *, flag: str, ready: str) -> None:
        self._program, self._folder, self._flag, self._ready = program, folder, flag, ready
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BuiltPart:
        try:
            binary = builder.ensure_binary(self._program)
        except LocalError as problem:
            raise PartUnavailable(str(problem)) from None
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{self._program}.yaml"
        file.write_text(yaml.safe_dump(self._configuration, sort_keys=False))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([str(binary), f"{self._flag}{file}"], stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    @property
    def log(self) -> Path:
        return self._folder / f"{self._program}.log"

    def _wait(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(self._ready, timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{self._program} is not ready: {self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)


def free_ports(number: int) -> int:
    """The first of so many neighbouring ports that are free on loopback."""
    for first in range(21000, 32000, 10):
        try:
            for port in range(first, first + number):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise PartUnavailable(f"there are no {number} neighbouring ports free")
