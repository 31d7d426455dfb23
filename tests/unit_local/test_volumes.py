"""Which volumes are made, and which are emptied first; kubectl is played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from taskservice_local import volumes
from taskservice_local.kubectl import Kubectl


class PlayedKubectl(Kubectl):
    """A cluster that knows the volumes that were applied."""

    def __init__(self) -> None:
        super().__init__(Path("kubeconfig"), "kubectl")
        self.applied: list[str] = []
        self.volumes: dict[str, dict[str, Any]] = {}

    def __call__(self, *words: str, input: str | None = None) -> str:
        if words[0] == "delete":
            for name in words[2:]:
                del self.volumes[name]
        else:
            for item in json.loads(input or "")["items"]:
                self.applied.append(item["metadata"]["name"])
                if item["kind"] == "PersistentVolume":
                    self.volumes[item["metadata"]["name"]] = {**item, "status": {"phase": "Available"}}
        return ""

    def get(self, *words: str) -> dict[str, Any] | None:
        return {"items": list(self.volumes.values())}


def test_the_first_time_the_class_and_the_whole_pool_are_made(tmp_path: Path) -> None:
    kubectl = PlayedKubectl()
    volumes.ensure(kubectl, tmp_path / "volumes", "node-1")
    assert kubectl.applied == ["local", *volumes.names()]
    assert sorted(path.name for path in (tmp_path / "volumes").iterdir()) == volumes.names()
    first = kubectl.volumes["volume-00"]["spec"]
    assert first["local"]["path"] == str(tmp_path / "volumes" / "volume-00")
    assert first["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] == ["node-1"]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    kubectl = PlayedKubectl()
    volumes.ensure(kubectl, tmp_path, "node-1")
    kubectl.applied.clear()
    volumes.ensure(kubectl, tmp_path, "node-1")
    assert kubectl.applied == []


def test_a_volume_whose_claim_is_gone_is_emptied_and_made_anew_and_one_in_use_is_not_touched(tmp_path: Path) -> None:
    kubectl = PlayedKubectl()
    volumes.ensure(kubectl, tmp_path, "node-1")
    for name, phase in (("volume-03", "Released"), ("volume-04", "Bound")):
        kubectl.volumes[name]["status"]["phase"] = phase
        (tmp_path / name / "data").write_text("of a claim")
    kubectl.applied.clear()
    volumes.ensure(kubectl, tmp_path, "node-1")
    assert kubectl.applied == ["local", "volume-03"]
    assert list((tmp_path / "volume-03").iterdir()) == []
    assert (tmp_path / "volume-04" / "data").read_text() == "of a claim"
