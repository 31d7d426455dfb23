"""Project cluster: where it comes from, and the namespaces in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infrakit.engine import Played, play
from infrakit.machine import FakeMachine
from taskservice_infra.errors import BadConfiguration, PlatformError
from taskservice_infra.kubeconfigs import Access
from taskservice_infra.programs.cluster import program


def played(machine: FakeMachine, kubernetes: dict[str, Any], *, preview: bool = False, **settings: Any) -> Played:
    config = {"cluster:kubernetes": kubernetes, **{f"cluster:{key}": value for key, value in settings.items()}}
    return play(lambda: program(machine), project="cluster", config=config, preview=preview)


@pytest.mark.parametrize(("provider", "kind"), [("local", None), ("kind", "kind")])
def test_a_cluster_of_this_machine_is_brought_up(provider: str, kind: str | None) -> None:
    machine = FakeMachine()
    run = played(machine, {"provider": provider})
    assert machine.asked == [f"up {kind}"]
    assert run.outputs == {"kubeconfig": "/state/kubeconfig", "context": "taskservice"}


def test_namespaces_enforce_pod_security() -> None:
    run = played(FakeMachine(), {"provider": "local"}, namespaces={"data": "restricted", "logs": "privileged"})
    levels = {
        made.name: made.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for made in run.all("Namespace")
    }
    assert levels == {"data": "restricted", "logs": "privileged"}
    assert {made.parent for made in run.all("Namespace")} == {run.one("Namespaces").urn}


def test_all_that_the_platform_uses_are_there_by_default() -> None:
    run = played(FakeMachine(), {"provider": "local"})
    assert {"data", "secrets", "observability", "apps", "taskservice-system", "envoy-gateway-system"} <= {
        made.name for made in run.all("Namespace")
    }


def test_a_preview_does_not_start_a_cluster() -> None:
    machine = FakeMachine()
    with pytest.raises(PlatformError, match="not up"):
        played(machine, {"provider": "local"}, preview=True)
    assert machine.asked == []
    assert played(FakeMachine(access=Access("/k", "c")), {"provider": "local"}, preview=True).outputs["context"] == "c"


def test_another_context_than_the_stacks_is_refused_with_the_key(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("current-context: production\n")
    with pytest.raises(BadConfiguration, match=r"Pulumi.test.yaml: cluster:kubernetes.context: expected the context"):
        played(FakeMachine(), {"provider": "existing", "context": "staging", "kubeconfig": str(kubeconfig)})


def test_a_cluster_that_does_not_answer_is_refused_with_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("current-context: staging\n")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'The connection was refused' >&2; exit 1\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadConfiguration, match=r"cluster:kubernetes.context: .* does not answer: The connection was"):
        played(FakeMachine(), {"provider": "existing", "context": "staging", "kubeconfig": str(kubeconfig)})
