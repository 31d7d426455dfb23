"""Questions to a real Prometheus; and one on loopback, for tests, in a folder that you give."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from testkit.mongod import PartUnavailable, free_port

Json = dict[str, Any]


class Prometheus:
    """Questions to one that runs at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: Any) -> Any:
        """The ``data`` of an answer of its API.  Raises ValueError with Prometheus' own words."""
        body = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{body}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode(errors="replace")) from None

    def now(self, expr: str) -> list[Json]:
        """Series of an instant query."""
        return self.ask("query", query=expr)["result"]

    def over(self, expr: str, start: float, end: float, step: float) -> list[Json]:
        """Series of a range query; those without a single number are left out."""
        found = self.ask("query_range", query=expr, start=start, end=end, step=step)["result"]
        return [series for series in found if any(math.isfinite(float(value)) for _, value in series["values"])]


class PrometheusServer(Prometheus):
    """A context manager: ready on entry, ended on exit."""

    def __init__(self, folder: Path, configuration: Json) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self._folder = folder
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrometheusServer:
        binary = shutil.which("prometheus")
        if binary is None:
            raise PartUnavailable("prometheus is not installed: apt-get install prometheus")
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(self._configuration, sort_keys=False))
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={file}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--enable-feature=exemplar-storage",
                ],
                stdout=log,
                stderr=log,
            )
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

    def _wait(self, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise PartUnavailable((self._folder / "prometheus.log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)
