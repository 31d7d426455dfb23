"""Images come onto the cluster by their names, and one that an existing cluster has already is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskservice_local import loading
from taskservice_local.errors import LocalError
from taskservice_local.images import Image
from taskservice_local.paths import ClusterPaths

NODE = {"items": [{"status": {"images": [{"names": ["docker.io/local/redis:7.0"]}, {"names": None}]}}]}


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was loaded, by file name, into a cluster whose node has Redis."""
    archives: list[str] = []

    class Cluster:
        def __init__(self, paths: ClusterPaths) -> None:
            self.paths = paths

        def load(self, archive: Path) -> None:
            archives.append(archive.name)

    class Kubectl:
        def get(self, *_: str) -> dict[str, Any]:
            return NODE

    monkeypatch.setattr(loading, "KINDS", {"built": Cluster, "current": Cluster})
    monkeypatch.setattr(loading, "kubectl_for", lambda *_: Kubectl())
    monkeypatch.setattr(
        loading.image_catalogue, "ensure", lambda name: Image(f"docker.io/local/{name}:7.0", Path(f"/{name}.tar"))
    )
    return archives


def test_one_call_loads_images_and_tells_their_references(
    loaded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "recorded_kind", lambda _: "built")
    found = loading.load_images("redis", "vault", paths=ClusterPaths("x", tmp_path))
    assert found == {"redis": "docker.io/local/redis:7.0", "vault": "docker.io/local/vault:7.0"}
    assert loaded == ["redis.tar", "vault.tar"]


def test_what_an_existing_cluster_has_is_not_loaded_again(
    loaded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "recorded_kind", lambda _: "current")
    assert set(loading.load_images("redis", "vault", paths=ClusterPaths("x", tmp_path))) == {"redis", "vault"}
    assert loaded == ["vault.tar"]


def test_without_a_cluster_it_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "recorded_kind", lambda _: None)
    with pytest.raises(LocalError, match="run `make cluster` first"):
        loading.load_images("redis", paths=ClusterPaths("x", tmp_path))
