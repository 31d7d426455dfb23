"""What may run: by digest, by version, bounded, restricted."""

from __future__ import annotations

from typing import Any

import pytest

from infrakit.subjects import DIGEST, IMAGE, REMOVED, a_deployment, a_release, a_resource, spoilt
from taskservice_infra.policy.model import UNKNOWN, Resource
from taskservice_infra.policy.workloads import (
    chart_without_version,
    image_without_digest,
    privileged_pod,
    unlimited_resources,
)

CONTAINER = "spec.template.spec.containers.0"
RULES = (chart_without_version, image_without_digest, privileged_pod, unlimited_resources)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_deployment_as_it_should_be_is_let_pass(rule: Any) -> None:
    assert list(rule(a_deployment())) == []
    assert list(rule(a_release(image={"repository": "vault", "digest": DIGEST}))) == []


@pytest.mark.parametrize("image", ["web", "web:1", "registry.example/web:latest", "web@sha256:123"])
def test_an_image_by_tag_is_refused(image: str) -> None:
    (found,) = image_without_digest(spoilt(a_deployment(), f"{CONTAINER}.image", image))
    assert image in found
    assert "web" in found


def test_an_init_containers_image_by_tag_is_refused() -> None:
    resource = spoilt(a_deployment(), "spec.template.spec.initContainers", [{"name": "first", "image": "busybox"}])
    assert list(image_without_digest(resource)) != []


def test_an_image_that_is_not_known_yet_is_not_refused() -> None:
    assert list(image_without_digest(spoilt(a_deployment(), f"{CONTAINER}.image", UNKNOWN))) == []


def test_the_image_of_a_taskservice_counts() -> None:
    token = "kubernetes:taskservice.dev/v1alpha1:TaskService"
    assert list(image_without_digest(a_resource(token, spec={"image": IMAGE}))) == []
    assert list(image_without_digest(a_resource(token, spec={"image": "web:1"}))) != []


@pytest.mark.parametrize(
    "values",
    [
        {"image": {"repository": "vault", "tag": "2.0.4"}},
        {"server": {"image": {"repository": "vault", "tag": "2.0.4"}}},
        {"image": "vault:2"},
        {"initImage": "busybox:1"},
    ],
)
def test_an_image_by_tag_in_a_charts_values_is_refused(values: dict[str, Any]) -> None:
    (found,) = image_without_digest(a_release(**values))
    assert found.startswith("values.")


def test_an_image_by_tag_in_a_custom_resource_is_refused_for_others_make_pods_of_it() -> None:
    token = "kubernetes:psmdb.percona.com/v1:PerconaServerMongoDB"
    assert list(image_without_digest(a_resource(token, spec={"backup": {"image": "mongo:8"}}))) != []
    assert list(image_without_digest(a_resource(token, spec={"image": IMAGE}))) == []


def test_a_digest_within_a_tag_counts() -> None:
    assert list(image_without_digest(a_release(image={"repository": "vault", "tag": f"2@{DIGEST}"}))) == []


@pytest.mark.parametrize("version", [REMOVED, "", "latest", "^1.2.3", ">=1", "1.x", "1.2"])
def test_a_chart_of_a_repository_without_one_version_is_refused(version: Any) -> None:
    (found,) = chart_without_version(spoilt(a_release(), "version", version))
    assert "name one exact version" in found


def test_a_chart_in_a_registry_needs_a_version_too_and_one_in_a_folder_does_not() -> None:
    token = "kubernetes:helm.sh/v4:Chart"
    assert list(chart_without_version(a_resource(token, chart="oci://registry.example/charts/web"))) != []
    assert list(chart_without_version(a_resource(token, chart="/checkout/charts/taskservice-operator"))) == []


@pytest.mark.parametrize("what", ["requests.cpu", "requests.memory", "limits.memory"])
def test_a_container_without_bounds_is_refused(what: str) -> None:
    (found,) = unlimited_resources(spoilt(a_deployment(), f"{CONTAINER}.resources.{what}", REMOVED))
    assert what in found


def test_a_taskservice_without_bounds_is_refused() -> None:
    token = "kubernetes:taskservice.dev/v1alpha1:TaskService"
    assert list(unlimited_resources(a_resource(token, spec={"image": IMAGE}))) != []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{CONTAINER}.securityContext.privileged", True, "privileged"),
        (f"{CONTAINER}.securityContext.allowPrivilegeEscalation", REMOVED, "allowPrivilegeEscalation"),
        (f"{CONTAINER}.securityContext.capabilities", {"drop": []}, "capabilities.drop"),
        (f"{CONTAINER}.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "SYS_ADMIN"),
        (f"{CONTAINER}.securityContext.runAsUser", 0, "root"),
        ("spec.template.spec.securityContext.runAsNonRoot", REMOVED, "runAsNonRoot"),
        ("spec.template.spec.securityContext.seccompProfile", REMOVED, "seccompProfile"),
        ("spec.template.spec.hostNetwork", True, "hostNetwork"),
        ("spec.template.spec.hostPID", True, "hostPID"),
        ("spec.template.spec.hostIPC", True, "hostIPC"),
        ("spec.template.spec.volumes", [{"name": "logs", "hostPath": {"path": "/var/log"}}], "/var/log"),
    ],
)
def test_a_pod_with_rights_over_its_node_is_refused(path: str, value: Any, said: str) -> None:
    found = list(privileged_pod(spoilt(a_deployment(), path, value)))
    assert len(found) == 1
    assert said in found[0]


def test_pods_of_a_cron_job_are_looked_at() -> None:
    pod = {"containers": [{"name": "backup", "image": "backup:1"}]}
    job = a_resource("kubernetes:batch/v1:CronJob", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}})
    for rule in (image_without_digest, unlimited_resources, privileged_pod):
        assert list(rule(job)) != []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_is_no_workload_is_none_of_their_business(rule: Any) -> None:
    assert list(rule(Resource("aws:ec2/vpc:Vpc", "vpc", {"image": "web:1", "spec": {"containers": [{}]}}))) == []
