"""Helm as a function: values in, manifests out."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskservice_local import builder, parts

CHARTS = Path(__file__).resolve().parents[2] / "charts"

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm ended badly; the text is what it said."""


@dataclass(frozen=True)
class Helm:
    program: str

    def run(self, *words: str) -> str:
        done = subprocess.run([self.program, *words], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Refused(done.stderr + done.stdout)
        return done.stdout

    def render(self, chart: str, values: Manifest | Path | None = None, *words: str) -> list[Manifest]:
        """The manifests of a chart, installed as a release of its own name into ``system``."""
        chosen = []
        if isinstance(values, Path):
            chosen = ["--values", str(values)]
        elif values:
            chosen = ["--set-json", ",".join(f"{name}={json.dumps(value)}" for name, value in values.items())]
        rendered = self.run("template", chart, str(CHARTS / chart), "--namespace", "system", *chosen, *words)
        return [manifest for manifest in yaml.safe_load_all(rendered) if manifest]


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Helm 4, built on the first use of a machine."""
    builder.build((parts.HELM,))
    return Helm(str(parts.HELM.binary("helm")))


@pytest.fixture
def refusal() -> type[Refused]:
    return Refused
