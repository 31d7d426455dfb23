"""Tests that need the clouds' packages (requirements/clouds.txt); nothing is made in any cloud."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from infrakit import clouds
from infrakit.engine import Played, play
from taskservice_infra.programs.cluster import program

with warnings.catch_warnings():
    # The packages warn of old names of their own while they are loaded, which is when the first of a module is used.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pulumi_aws import cloudwatch, ec2, eks, iam, kms
    from pulumi_azure_native import containerservice, network
    from pulumi_gcp import compute, container

    USED = (
        cloudwatch.LogGroup, ec2.Vpc, eks.Cluster, iam.Role, kms.Key, containerservice.ManagedCluster, network.Subnet,
        compute.Network, container.Cluster,
    )  # fmt: skip

Run = Callable[..., Played]


@pytest.fixture(scope="session")
def run() -> Run:
    """Project ``cluster`` with the settings given, under a stack's name."""

    def played(kubernetes: dict[str, Any], stack_name: str = "production") -> Played:
        return play(
            program,
            project="cluster",
            config={"cluster:kubernetes": kubernetes},
            stack_name=stack_name,
            calls=clouds.CALLS,
            computed=clouds.COMPUTED,
        )

    return played
