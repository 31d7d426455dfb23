"""What the README tells a newcomer to do with an own image is done here, word for word, with what a newcomer has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from taskservice_demo.stage import Stage
from taskservice_local.bases import PYTHON_BASE
from taskservice_local.images import build_image, import_base
from taskservice_local.machine import Machine
from taskservice_local.paths import CHECKOUT

SECTION = re.compile(r"^## Five minutes with your own image\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^# (\S+)$", re.MULTILINE)
IMAGE = "docker.io/me/web:1"
KEPT = ("HOME", "USER", "LANG", "TASKSERVICE_CLUSTER", "CLUSTER", "XDG_CACHE_HOME", "XDG_STATE_HOME")
"""Of this process's environment: what a login shell has, and which cluster to use."""
APP = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("GREETING", "well").encode()
        self.send_response(200 if self.path in ("/", "/healthz") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
CONTAINERFILE = """\
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}
COPY app.py /app.py
USER 10001:10001
CMD ["python3", "/app.py"]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what Git would give: nothing that some earlier command left behind can help."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = CHECKOUT / name, tmp_path / "checkout" / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return tmp_path / "checkout"


def own_image(folder: Path) -> Path:
    """An image of somebody who knows nothing of us, as an archive."""
    context = folder / "context"
    context.mkdir()
    (context / "app.py").write_text(APP)
    containerfile = folder / "Containerfile"
    containerfile.write_text(CONTAINERFILE)
    arguments = {}
    if not Machine().docker_answers():
        import_base(PYTHON_BASE.ensure(), PYTHON_BASE.reference)
        arguments = {"BASE": PYTHON_BASE.reference}
    return build_image("readme-web", containerfile, context, IMAGE, arguments)


def test_five_minutes_with_an_own_image(stage: Stage, checkout: Path, tmp_path: Path) -> None:
    section = SECTION.search((checkout / "README.md").read_text())
    assert section is not None
    blocks = BLOCK.findall(section[1])
    for language, text in blocks:
        if language == "yaml":
            named = FILE.match(text)
            assert named is not None, "a file is shown without its name"
            (checkout / named[1]).write_text(text)
    shutil.copy2(own_image(tmp_path), checkout / "my-image.tar")
    script = "".join(text for language, text in blocks if language == "sh")
    assert IMAGE in "".join(text for language, text in blocks if language == "yaml")

    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "activate").exists()
    )
    stage.kubectl("delete", "tsvc", "web", "--ignore-not-found", "--wait=true")
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=checkout, env={**environment, "PATH": path}, capture_output=True, text=True, timeout=560, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        found = stage.taskservice("default", "web")
        history = found["status"]["history"]
        assert [entry["result"] for entry in history] == ["Promoted", "Promoted"]
        assert {entry["image"] for entry in history} == {IMAGE}
        assert all(entry["revision"] in done.stdout for entry in history), done.stdout
        assert ask(stage) == "hello"
    finally:
        stage.kubectl("delete", "tsvc", "web", "--ignore-not-found", "--wait=false")


def ask(stage: Stage) -> str:
    return stage.kubectl("get", "--raw", "/api/v1/namespaces/default/services/web:8000/proxy/")
