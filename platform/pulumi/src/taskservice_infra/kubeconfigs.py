"""Reading kubeconfigs, and asking whether the cluster behind one answers; nothing of them is ever changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from taskservice_infra.errors import PlatformError

ANSWERS_WITHIN = 10
"""Seconds that an API server has to answer."""


@dataclass(frozen=True)
class Access:
    """How to reach a cluster: a kubeconfig file's path, and the context in it."""

    kubeconfig: str
    context: str


def default_path(env: Mapping[str, str] = os.environ) -> Path:
    """The kubeconfig that kubectl would take; of several in ``$KUBECONFIG`` the first."""
    given = env.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(given) if given else Path.home() / ".kube" / "config"


def current_context(kubeconfig: Path) -> str:
    """The context that a kubeconfig names as its current one.  Raises PlatformError when it names none."""
    try:
        found = yaml.safe_load(kubeconfig.read_text())["current-context"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise PlatformError(f"{kubeconfig} cannot be read as a kubeconfig: {problem}") from None
    if not found:
        raise PlatformError(f"{kubeconfig} names no current context: kubectl config use-context NAME.")
    return str(found)


def expect_context(kubeconfig: Path, expected: str) -> Access:
    """The access to the expected context.  Raises PlatformError when another one is current."""
    found = current_context(kubeconfig)
    if found != expected:
        raise PlatformError(
            f"expected the context {expected!r}, but {kubeconfig} is set to {found!r}: "
            f"kubectl config use-context {expected}, or name the other stack"
        )
    return Access(str(kubeconfig), expected)


def expect_answer(access: Access, kubectl: str | None = None) -> None:
    """Return when the API server answers.  Raises PlatformError with what it said instead."""
    program = kubectl or shutil.which("kubectl")
    if program is None:
        raise PlatformError("kubectl is not on the PATH; it asks the cluster whether it answers")
    command = [program, f"--kubeconfig={access.kubeconfig}", f"--context={access.context}"]
    limit = f"--request-timeout={ANSWERS_WITHIN}s"
    try:
        done = subprocess.run(
            [*command, "get", "--raw", "/version", limit],
            capture_output=True, text=True, timeout=2 * ANSWERS_WITHIN, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PlatformError(f"the cluster of context {access.context!r} does not answer") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise PlatformError(f"the cluster of context {access.context!r} does not answer: {said}")
