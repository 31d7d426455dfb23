"""A machine that builds nothing: it has a cluster at once, and an image for every name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from taskservice_infra.kubeconfigs import Access
from taskservice_local.paths import CHECKOUT


class FakeMachine:
    """``asked``: what was asked of it, in order."""

    def __init__(self, folder: Path | None = None, access: Access | None = None) -> None:
        self.folder = folder or Path("/nowhere")
        self._access = access
        self.asked: list[str] = []

    def up(self, kind: str | None) -> Access:
        self.asked.append(f"up {kind}")
        self._access = self._access or Access("/state/kubeconfig", "taskservice")
        return self._access

    def access(self) -> Access | None:
        return self._access

    def down(self) -> None:
        self.asked.append("down")
        self._access = None

    def image(self, name: str) -> str:
        self.asked.append(f"image {name}")
        return f"docker.io/local/{name}:made-here"

    def chart(self, name: str) -> str:
        return str(CHECKOUT / "charts" / name)

    def pod_logs(self) -> str:
        return "/state/pod-logs"

    def text(self, path: str) -> str:
        return (CHECKOUT / path).read_text(encoding="utf-8")

    def state(self, stack: str) -> Path:
        return self.folder / "state" / stack

    def cache(self) -> Path:
        return self.folder / "cache"

    def alone(self, lock: Path, doing: str) -> AbstractContextManager[None]:
        return nullcontext()

    def program(self, name: str) -> str:
        self.asked.append(f"program {name}")
        return f"/programs/bin/{name}"
