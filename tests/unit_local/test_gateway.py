"""What is installed as the gateway, and when nothing is; kubectl and Helm are played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskservice_local import gateway
from taskservice_local.errors import LocalError
from taskservice_local.gateway import DEPLOYMENTS, INSTALLED, Gateway, asked_for, chart_values, fingerprint
from taskservice_local.images import Image
from taskservice_local.kubectl import Kubectl
from taskservice_local.parts import ENVOY_GATEWAY
from taskservice_local.program_images import ENVOY_GATEWAY_IMAGE, RATELIMIT_IMAGE, ProgramImage

ENVOY, REDIS = Image("docker.io/local/envoy:1", Path("envoy.tar")), Image("docker.io/local/redis:1", Path("redis.tar"))


def available(name: str) -> dict[str, Any]:
    conditions = [{"type": "Available", "status": "True"}]
    status = {"observedGeneration": 1, "conditions": conditions}
    return {"metadata": {"name": name, "generation": 1}, "status": status}


class PlayedKubectl(Kubectl):
    """A cluster that remembers the annotation, and in which everything is at once as it should be."""

    def __init__(self) -> None:
        super().__init__(Path("kubeconfig"), "kubectl")
        self.said: list[str] = []
        self.annotation = ""
        self.namespace = False
        self.deployments = [available(name) for name in DEPLOYMENTS]
        self.accepted = "True"

    def __call__(self, *words: str, input: str | None = None) -> str:
        self.said.append(" ".join(words))
        self.namespace |= words[:2] == ("create", "namespace")
        if words[0] == "annotate":
            self.annotation = words[3].partition("=")[2]
        return ""

    def get(self, *words: str) -> dict[str, Any] | None:
        if words[0] == "namespace":
            return {"metadata": {"annotations": {INSTALLED: self.annotation}}} if self.namespace else None
        if words[0] == "deployments":
            return {"items": self.deployments}
        if words[0] == "gatewayclass":
            return {"status": {"conditions": [{"type": "Accepted", "status": self.accepted}]}}
        return None


@pytest.fixture
def helm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that Helm was given; the part lies in the cache as built."""
    said: list[list[str]] = []
    chart = ENVOY_GATEWAY.kept("charts/gateway-helm")
    chart.mkdir(parents=True)
    (chart / "values.tmpl.yaml").write_text("image: ${GatewayImage}\npullPolicy: ${GatewayImagePullPolicy}\n")

    def run(argv: list[object], **_: object) -> str:
        said.append([str(word) for word in argv])
        return ""

    monkeypatch.setattr(gateway, "run", run)
    monkeypatch.setattr(gateway.builder, "build", lambda _: None)
    monkeypatch.setattr(gateway.builder, "ensure_binary", lambda program: Path(program))
    monkeypatch.setattr(gateway.image_catalogue, "ensure", lambda name: ENVOY if name == "envoy" else REDIS)
    monkeypatch.setattr(ProgramImage, "archive", lambda image: Path(f"{image.part.name}.tar"))
    return said


@pytest.mark.parametrize(("word", "asked"), [("1", True), ("0", False), ("", False)])
def test_a_gateway_is_asked_for_by_the_number_one(word: str, asked: bool) -> None:
    assert asked_for({"GATEWAY": word}) is asked
    assert not asked_for({})


def test_any_other_word_is_answered_with_what_to_write() -> None:
    with pytest.raises(LocalError, match="use GATEWAY=1"):
        asked_for({"GATEWAY": "please"})


def test_the_first_time_images_definitions_limits_controller_and_class_arrive_in_this_order(
    helm: list[list[str]], tmp_path: Path
) -> None:
    kubectl, loaded = PlayedKubectl(), []
    Gateway(kubectl, loaded.append, tmp_path).ensure()
    assert loaded == [Path(name) for name in ("envoy-gateway.tar", "ratelimit.tar", "envoy.tar", "redis.tar")]
    assert [words[1] for words in helm] == ["template", "upgrade"]
    assert kubectl.said[0].startswith("apply --server-side")
    assert (
        "label namespace envoy-gateway-system pod-security.kubernetes.io/enforce=restricted --overwrite" in kubectl.said
    )
    assert kubectl.said[-1].startswith(f"annotate namespace envoy-gateway-system {INSTALLED}=")
    defaults = (tmp_path / "envoy-gateway-defaults.yaml").read_text()
    assert defaults == f"image: {ENVOY_GATEWAY_IMAGE.reference}\npullPolicy: IfNotPresent\n"


def test_the_second_time_nothing_is_written(helm: list[list[str]], tmp_path: Path) -> None:
    kubectl = PlayedKubectl()
    Gateway(kubectl, lambda _: None, tmp_path).ensure()
    kubectl.said.clear()
    helm.clear()
    Gateway(kubectl, lambda _: None, tmp_path).ensure()
    assert (kubectl.said, helm) == ([], [])


def test_another_image_is_installed_over_the_one_that_is_there(helm: list[list[str]], tmp_path: Path) -> None:
    kubectl = PlayedKubectl()
    kubectl.namespace, kubectl.annotation = True, fingerprint(Image("docker.io/local/envoy:0", Path("x")), REDIS)
    Gateway(kubectl, lambda _: None, tmp_path).ensure()
    assert [words[1] for words in helm] == ["template", "upgrade"]
    assert kubectl.annotation == fingerprint(ENVOY, REDIS)


def test_it_is_ready_when_all_its_programs_are_available_and_the_class_is_accepted(tmp_path: Path) -> None:
    kubectl = PlayedKubectl()
    ready = Gateway(kubectl, lambda _: None, tmp_path).ready
    assert ready()
    kubectl.accepted = "Unknown"
    assert not ready()
    kubectl.accepted = "True"
    kubectl.deployments[1]["metadata"]["generation"] = 2
    assert not ready()
    del kubectl.deployments[1]
    assert not ready()


def test_the_chart_is_told_of_the_local_images_and_of_the_store_of_the_limits(cache: Path) -> None:
    values = chart_values()
    assert values["global"]["images"]["ratelimit"]["image"] == RATELIMIT_IMAGE.reference
    config = values["config"]["envoyGateway"]
    assert config["rateLimit"]["backend"]["redis"]["url"].startswith("ratelimit-redis.")
    (password,) = config["provider"]["kubernetes"]["rateLimitDeployment"]["container"]["env"]
    assert "value" not in password
