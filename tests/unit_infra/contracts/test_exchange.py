"""What one project publishes, another reads; what is absent is told."""

from __future__ import annotations

import pulumi
import pytest

from infrakit.engine import play
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.exchange import publish, read
from taskservice_infra.errors import PlatformError


def test_what_is_published_is_read_again() -> None:
    def writer() -> None:
        publish(ClusterOutputs(kubeconfig=pulumi.Output.from_input("/k"), context=pulumi.Output.from_input("c")))

    published = play(writer, project="cluster").outputs

    def reader() -> None:
        cluster = read(ClusterOutputs)
        pulumi.export("seen", pulumi.Output.all(cluster.kubeconfig, cluster.context))

    assert play(reader, project="data", stacks={"cluster": published}).outputs["seen"] == ["/k", "c"]


def test_a_project_that_is_not_up_is_named() -> None:
    def reader() -> None:
        pulumi.export("seen", read(ClusterOutputs).context)

    with pytest.raises(PlatformError, match="Project cluster has no output"):
        play(reader, project="data")


def test_the_setting_that_asks_for_an_output_is_named_by_its_file_and_key() -> None:
    def reader() -> None:
        pulumi.export("seen", read(ClusterOutputs, "apps:vault").context)

    with pytest.raises(PlatformError, match=r"Pulumi.test.yaml: apps:vault: Project cluster has no output"):
        play(reader, project="apps")
