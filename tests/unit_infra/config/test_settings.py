"""What is wrong with a stack file is said with the file and the key, before anything else happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskservice_infra.config import settings as files
from taskservice_infra.config.cluster import ClusterSettings
from taskservice_infra.config.data import DataSettings
from taskservice_infra.config.settings import Settings
from taskservice_infra.errors import BadConfiguration, PlatformError

OTHERS = {"redis": {"provider": "dev"}, "rabbitmq": {"provider": "dev"}}


def refused(model: type[Settings], project: str, values: dict[str, Any]) -> list[str]:
    with pytest.raises(BadConfiguration) as caught:
        files.parse(model, project, "local", {**(OTHERS if model is DataSettings else {}), **values})
    return list(caught.value.findings)


def test_an_unknown_provider_is_refused_with_those_that_there_are(seed: str) -> None:
    found = refused(DataSettings, "data", {"mongodb": {"provider": "couch"}, "seed": seed})
    assert len(found) == 1
    assert found[0].startswith("Pulumi.local.yaml: data:mongodb.provider: 'couch' is not known; use one of dev, ")


def test_a_missing_provider_is_told() -> None:
    assert refused(ClusterSettings, "cluster", {"kubernetes": {}}) == [
        "Pulumi.local.yaml: cluster:kubernetes.provider: is missing."
    ]


def test_a_setting_inside_a_provider_is_named_as_the_file_has_it(seed: str) -> None:
    found = refused(DataSettings, "data", {"seed": seed, "mongodb": {"provider": "dev", "cacheSizeGb": 0.1}})
    assert found == [
        "Pulumi.local.yaml: data:mongodb.cacheSizeGb: Input should be greater than or equal to 0.25, not 0.1."
    ]


def test_a_misspelt_setting_is_refused(seed: str) -> None:
    (found,) = refused(DataSettings, "data", {"seed": seed, "mongodb": {"provider": "dev", "replica": 3}})
    assert found.startswith("Pulumi.local.yaml: data:mongodb.replica: is not a setting here")


def test_an_absent_component_is_missing(seed: str) -> None:
    assert "Pulumi.local.yaml: data:mongodb: is missing." in refused(DataSettings, "data", {"seed": seed})


def test_every_finding_is_told_at_once() -> None:
    found = refused(
        ClusterSettings,
        "cluster",
        {"kubernetes": {"provider": "existing"}, "namespaces": {"data": "open", "Data": "restricted"}},
    )
    assert [sentence.split(": ")[1] for sentence in found] == [
        "cluster:kubernetes.context", "cluster:namespaces.data", "cluster:namespaces.Data",
    ]  # fmt: skip


def test_too_few_members_for_a_majority_are_refused(seed: str) -> None:
    for replicas in (1, 2, 4):
        (found,) = refused(DataSettings, "data", {"seed": seed, "mongodb": {"provider": "dev", "replicas": replicas}})
        assert found.startswith("Pulumi.local.yaml: data:mongodb.replicas: ")
        assert "use 3, 5 or 7" in found


def test_a_missing_seed_is_told_with_the_command_that_sets_it() -> None:
    (found,) = refused(DataSettings, "data", {"mongodb": {"provider": "dev"}})
    assert found.startswith("Pulumi.local.yaml: data:seed: is missing")
    assert "pulumi config set --secret data:seed" in found


def test_a_missing_secret_of_a_provider_is_told() -> None:
    assert "Pulumi.local.yaml: data:mongodb.url: is missing." in refused(
        DataSettings, "data", {"mongodb": {"provider": "external"}}
    )


def test_one_broker_is_named_not_two(seed: str) -> None:
    mongodb = {"provider": "dev"}
    kafka = {"provider": "external", "url": "kafka://k:9092"}
    for brokers in ({"rabbitmq": None}, {"kafka": kafka}):
        (found,) = refused(DataSettings, "data", {"seed": seed, "mongodb": mongodb, **brokers})
        assert found.startswith("Pulumi.local.yaml: data:rabbitmq: name one broker")


def test_an_encrypted_value_counts_as_given(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.staging.yaml"
    file.write_text("config:\n  data:seed: {secure: v1:abc}\n  data:mongodb: {provider: dev}\n")
    found = files.read("data", file)
    assert found["seed"] == files.ENCRYPTED
    assert files.parse(type("M", (Settings,), {"__annotations__": {"seed": str, "mongodb": dict}}), "data", "s", found)


def test_settings_of_other_projects_in_a_file_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text("config:\n  cluster:kubernetes: {provider: local}\n  aws:region: eu-west-1\n")
    assert files.from_file(ClusterSettings, "cluster", file).kubernetes.provider == "local"


def test_a_file_that_is_not_there_or_not_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="There is no"):
        files.read("data", tmp_path / "Pulumi.nowhere.yaml")
    (tmp_path / "Pulumi.bad.yaml").write_text("config: [")
    with pytest.raises(PlatformError, match="not a stack file"):
        files.read("data", tmp_path / "Pulumi.bad.yaml")
