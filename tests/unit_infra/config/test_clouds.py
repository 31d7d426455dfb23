"""Settings of cloud clusters: what cannot be is refused before a resource exists, with the file and the key."""

from __future__ import annotations

from typing import Any

import pytest

from infrakit.clouds import aks, eks, gke
from taskservice_infra.config import settings as files
from taskservice_infra.config.cluster import ClusterSettings
from taskservice_infra.errors import BadConfiguration

CLOUDS = (eks, gke, aks)


def parsed(kubernetes: dict[str, Any]) -> Any:
    return files.parse(ClusterSettings, "cluster", "production", {"kubernetes": kubernetes}).kubernetes


def refused(kubernetes: dict[str, Any]) -> list[str]:
    with pytest.raises(BadConfiguration) as caught:
        parsed(kubernetes)
    return list(caught.value.findings)


def pool(**changes: Any) -> dict[str, Any]:
    return {"name": "general", "size": "m7i.large", "minimum": 3, "maximum": 9, **changes}


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.__name__)
def test_settings_as_they_should_be_are_taken(cloud: Any) -> None:
    found = parsed(cloud())
    assert found.provider == cloud.__name__
    assert found.api_access == "private"
    assert found.deletion_protection is True


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.__name__)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"version": "1.28"},
            "cluster:kubernetes.version: Input should be '1.34', '1.35', '1.36' or '1.37', not '1.28'",
        ),
        ({"apiAccess": "public"}, "cluster:kubernetes.apiAccess: "),
        ({"apiAccess": "restricted"}, "authorizedNetworks must name who may connect"),
        ({"authorizedNetworks": ["203.0.113.0/24"]}, "authorizedNetworks would have no effect"),
        (
            {"apiAccess": "restricted", "authorizedNetworks": ["0.0.0.0/0"]},
            "authorizedNetworks[0]: 0.0.0.0/0 is too wide",
        ),
        ({"name": "Bad_Name"}, "cluster:kubernetes.name: "),
        ({"zones": []}, "cluster:kubernetes.zones: "),
        ({"nodePools": []}, "cluster:kubernetes.nodePools: "),
        ({"logRetentionDays": 1}, "cluster:kubernetes.logRetentionDays: "),
        ({"colour": "blue"}, "cluster:kubernetes.colour: is not a setting here"),
    ],
)
def test_what_no_cloud_takes_is_refused(cloud: Any, change: dict[str, Any], said: str) -> None:
    found = refused(cloud(**change))
    assert all(sentence.startswith("Pulumi.production.yaml: cluster:kubernetes") for sentence in found)
    assert any(said in sentence for sentence in found), found


def test_too_few_nodes_for_high_availability_are_refused_with_the_way_out() -> None:
    (found,) = refused(eks(nodePools=[pool(minimum=2)]))
    assert "keep 2 steady nodes" in found
    assert "raise minimum, or set highAvailability to false" in found
    assert parsed(eks(nodePools=[pool(minimum=2)], highAvailability=False)).high_availability is False


def test_spot_and_tainted_nodes_are_not_steady() -> None:
    for change in ({"spot": True}, {"taints": [{"key": "gpu"}]}):
        (found,) = refused(eks(nodePools=[pool(**change)]))
        assert "keep 0 steady nodes" in found


def test_bounds_of_a_pool_are_in_order_and_names_distinct() -> None:
    (found,) = refused(eks(nodePools=[pool(minimum=9, maximum=3)]))
    assert found.startswith(
        "Pulumi.production.yaml: cluster:kubernetes.nodePools[0]: minimum (9) is more than maximum (3)"
    )
    (found,) = refused(eks(nodePools=[pool(), pool()]))
    assert "two nodePools have the same name" in found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (eks(nodePools=[pool(size="Standard_D2s_v5")]), "sizes here look like m7i.large"),
        (gke(nodePools=[pool()]), "sizes here look like e2-standard-4"),
        (aks(nodePools=[pool()]), "sizes here look like Standard_D4s_v5"),
        (eks(zones=["us-east-1a", "us-east-1b", "eu-west-1c"]), "eu-west-1c is not in region us-east-1"),
        (gke(zones=["us-central1-a", "us-central1-b", "us-east1-b"]), "us-east1-b is not in region us-central1"),
        (eks(zones=["us-east-1a", "us-east-1a", "us-east-1b"]), "a zone is named twice"),
        (eks(zones=["us-east-1a", "us-east-1b"]), "2 zones are named, and 3 are needed with highAvailability"),
        (aks(zones=["1"]), "1 zones are named, and 3 are needed"),
        (eks(accountId="12"), "cluster:kubernetes.accountId: "),
        (eks(administrators=["me"]), "cluster:kubernetes.administrators[0]: "),
        (aks(subscriptionId="me"), "cluster:kubernetes.subscriptionId: "),
        (gke(project="P"), "cluster:kubernetes.project: "),
        (
            aks(nodePools=[pool(size="Standard_D2s_v5", spot=True), pool(name="other", size="Standard_D2s_v5")]),
            "general is the first",
        ),
    ],
)
def test_what_one_cloud_does_not_take_is_refused(settings: dict[str, Any], said: str) -> None:
    found = refused(settings)
    assert any(said in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (eks(addresses={"services": "10.20.0.0/20"}), "network (10.20.0.0/16) and services (10.20.0.0/20) overlap"),
        (eks(addresses={"connected": ["10.20.4.0/24"]}), "connected[0] (10.20.4.0/24) overlap"),
        (eks(addresses={"network": "10.20.0.0/24"}), "network (10.20.0.0/24) must be between /16 and /20"),
        (eks(addresses={"network": "20.0.0.0/16"}), "addresses.network: 20.0.0.0/16 is not private"),
        (gke(addresses={"pods": "10.30.0.0/14"}), "10.28.0.0/14 is meant"),
        (gke(addresses={"pods": "10.28.0.0/14"}), "overlap"),
        (gke(addresses={"controlPlane": "172.16.0.0/24"}), "must be between /28 and /28"),
        (gke(addresses={"pods": "10.64.0.0/20"}, nodePools=[pool(size="e2-standard-2", maximum=17)]), "room for 16"),
        (aks(addresses={"nodes": "10.50.0.0/20"}), "nodes (10.50.0.0/20) is not within network"),
        (aks(addresses={"pods": "10.40.0.0/14"}), "network (10.40.0.0/16) and pods (10.40.0.0/14) overlap"),
        (aks(addresses={"apiServer": "10.40.0.0/28"}), "nodes (10.40.0.0/20) and apiServer (10.40.0.0/28) overlap"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    found = refused(settings)
    assert any(said in sentence for sentence in found), found


def test_an_unknown_provider_is_refused_with_all_that_there_are() -> None:
    (found,) = refused({"provider": "linode"})
    for provider in ("local", "kind", "existing", "eks", "gke", "aks"):
        assert provider in found
