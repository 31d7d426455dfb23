"""Every stack file is checked before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_infra.automation import checks, projects
from taskservice_infra.automation.workspace import Place
from taskservice_infra.errors import BadConfiguration

OBSERVED = """config:
  observability:metrics: {provider: local}
  observability:logs: {provider: local}
  observability:traces: {provider: local}
  observability:collector: {provider: local}
  observability:grafanaUrl: http://grafana
  observability:runbooksUrl: http://runbooks
"""
OTHERS = "  data:redis: {provider: dev}\n  data:rabbitmq: {provider: dev}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stack files of the test's own."""
    for project in projects.PROJECTS:
        (tmp_path / project.name).mkdir()
        (tmp_path / project.name / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "cluster" / "Pulumi.local.yaml").write_text("config:\n  cluster:kubernetes: {provider: local}\n")
    (tmp_path / "secrets" / "Pulumi.local.yaml").write_text("config:\n  secrets:vault: {provider: dev}\n")
    (tmp_path / "data" / "Pulumi.local.yaml").write_text("config:\n  data:mongodb: {provider: dev}\n" + OTHERS)
    (tmp_path / "observability" / "Pulumi.local.yaml").write_text(OBSERVED)
    return tmp_path


def test_good_files_give_the_cluster_that_the_stack_is_on(folder: Path) -> None:
    assert checks.is_here(checks.check(projects.chosen([], folder), "local"))


def test_the_findings_of_all_files_are_told_together(folder: Path) -> None:
    (folder / "cluster" / "Pulumi.local.yaml").write_text("config:\n  cluster:kubernetes: {provider: lokal}\n")
    (folder / "data" / "Pulumi.local.yaml").write_text(
        "config:\n  data:mongodb: {provider: dev, replicas: 1}\n" + OTHERS
    )
    with pytest.raises(BadConfiguration) as caught:
        checks.check(projects.chosen([], folder), "local")
    assert [sentence.split(": ")[1] for sentence in caught.value.findings] == [
        "cluster:kubernetes.provider",
        "data:mongodb.replicas",
    ]


def test_the_seed_of_another_stack_has_to_be_given(folder: Path) -> None:
    for project in projects.PROJECTS:
        file = folder / project.name / "Pulumi.local.yaml"
        file.rename(file.with_name("Pulumi.staging.yaml"))
    with pytest.raises(BadConfiguration, match=r"Pulumi.staging.yaml: data:seed: is missing"):
        checks.check(projects.chosen([], folder), "staging")


def test_a_project_whose_outputs_are_asked_for_has_to_be_up_or_among_those_brought_up(folder: Path) -> None:
    (folder / "apps" / "Pulumi.local.yaml").write_text("config:\n  apps:sample: {}\n  apps:traces: {}\n")
    place = Place("local", folder / "state")
    checks.expect_needs(projects.chosen([], folder), place)
    with pytest.raises(BadConfiguration) as caught:
        checks.expect_needs(projects.chosen(["cluster", "apps"], folder), place)
    assert [sentence.split(": takes")[0] for sentence in caught.value.findings] == [
        "Pulumi.local.yaml: apps:sample",
        "Pulumi.local.yaml: apps:traces",
    ]
    assert "make up PROJECTS=observability" in caught.value.findings[1]
    for name in ("data", "observability"):
        state = folder / "state/backend/.pulumi/stacks" / name / "local.json"
        state.parent.mkdir(parents=True)
        state.touch()
    checks.expect_needs(projects.chosen(["apps"], folder), place)


def test_another_clusters_context_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("current-context: production\n")
    kubernetes = f"{{provider: existing, context: staging, kubeconfig: {tmp_path / 'kubeconfig'}}}"
    (folder / "cluster" / "Pulumi.local.yaml").write_text(f"config:\n  cluster:kubernetes: {kubernetes}\n")
    with pytest.raises(BadConfiguration, match=r"cluster:kubernetes.context: expected the context 'staging'"):
        checks.check(projects.chosen([], folder), "local")
