"""What our objects look like: restricted pods, names that fit, ownership, selectors."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.api.spec import parse_autoscaling
from taskservice_operator.render.autoscaler import build_autoscaler
from taskservice_operator.render.copies import build_config_copy, build_secret_copy
from taskservice_operator.render.deployment import build_deployment
from taskservice_operator.render.disruption import build_disruption_budget
from taskservice_operator.render.identity import Owner, digest, revision_of
from taskservice_operator.render.record import build_record, parse_record
from taskservice_operator.render.service import build_service, ports_of
from testkit.builders import TaskServiceBuilder, a_taskservice

OWNER = Owner("web", "default", "uid-web")
WEB = a_taskservice()


def deployment(resource: TaskServiceBuilder = WEB, replicas: int | None = 2) -> dict[str, Any]:
    return build_deployment(OWNER, resource.record(), replicas)


def pod(resource: TaskServiceBuilder = WEB) -> dict[str, Any]:
    return deployment(resource)["spec"]["template"]["spec"]


def container(resource: TaskServiceBuilder = WEB) -> dict[str, Any]:
    return pod(resource)["containers"][0]


def test_pods_pass_the_restricted_pod_security_standard() -> None:
    assert pod()["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    security = container()["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True
    kinds = {next(iter(set(volume) - {"name"})) for volume in pod(WEB.config(A="1"))["volumes"]}
    assert kinds <= {"emptyDir", "configMap", "secret"}


def test_pods_get_no_token_unless_they_have_an_account() -> None:
    assert pod()["automountServiceAccountToken"] is False
    assert pod(WEB.having(serviceAccountName="web"))["automountServiceAccountToken"] is True


def test_a_pod_ends_later_than_every_proxy_has_heard_of_it() -> None:
    sleep = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < sleep < pod()["terminationGracePeriodSeconds"] - 25


@pytest.mark.parametrize(
    ("spec", "readiness", "liveness"),
    [
        ({}, {"tcpSocket": {"port": 8000}}, False),
        ({"port": 80}, {"tcpSocket": {"port": 80}}, False),
        ({"managementPort": 9000}, {"httpGet": {"path": "/readyz", "port": 9000}}, True),
        ({"probes": {"readiness": {"exec": {"command": ["true"]}}}}, {"exec": {"command": ["true"]}}, False),
    ],
)
def test_probes(spec: dict[str, Any], readiness: dict[str, Any], liveness: bool) -> None:
    made = container(WEB.having(**spec))
    assert readiness.items() <= made["readinessProbe"].items()
    assert ("livenessProbe" in made) is liveness


MANAGED = WEB.having(managementPort=9000)


def test_a_slow_start_is_not_taken_for_a_hang() -> None:
    made = container(MANAGED)
    startup, liveness = made["startupProbe"], made["livenessProbe"]
    assert startup["httpGet"] == liveness["httpGet"] == {"path": "/livez", "port": 9000}
    assert startup["failureThreshold"] * startup["periodSeconds"] >= 300
    assert "startupProbe" not in container(WEB)


def test_a_startup_probe_of_the_users_own_takes_the_place_of_ours() -> None:
    own = {"exec": {"command": ["test", "-e", "/tmp/begun"]}, "failureThreshold": 9}
    made = container(MANAGED.having(probes={"startup": own}))
    assert made["startupProbe"] == own
    assert made["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_who_gives_a_liveness_probe_decides_about_the_start_as_well() -> None:
    made = container(MANAGED.having(probes={"liveness": {"tcpSocket": {"port": 9000}, "initialDelaySeconds": 900}}))
    assert "startupProbe" not in made


def test_default_probes_can_be_removed_with_the_overlay() -> None:
    nothing = {"name": "app", "startupProbe": None, "livenessProbe": None}
    made = container(MANAGED.having(podTemplate={"spec": {"containers": [nothing]}}))
    assert {"startupProbe", "livenessProbe"}.isdisjoint(made)
    assert made["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_a_users_variable_takes_the_place_of_ours() -> None:
    env = container(WEB.having(env=[{"name": "POD_NAME", "value": "mine"}]))["env"]
    assert [entry["name"] for entry in env] == ["TASKSERVICE_REVISION", "POD_NAME"]
    assert env[1]["value"] == "mine"


def test_configuration_comes_as_environment_or_as_files_from_the_revisions_own_copy() -> None:
    config = [{"name": "flags", "data": {"A": "1"}}, {"name": "files", "data": {"a.ini": ""}, "mountPath": "/etc/app"}]
    resource = WEB.having(config=config)
    name = f"web-{resource.revision()}"
    assert container(resource)["envFrom"] == [{"configMapRef": {"name": f"{name}-flags"}}]
    assert {"name": "config-files", "mountPath": "/etc/app", "readOnly": True} in container(resource)["volumeMounts"]
    assert {"name": "config-files", "configMap": {"name": f"{name}-files"}} in pod(resource)["volumes"]


@pytest.mark.parametrize(
    "overlay",
    [
        {"metadata": {"labels": {names.LABEL_REVISION: "other", names.LABEL_OWNER: None, "team": "a"}}},
        {"metadata": {"labels": None}},
        {"metadata": None, "spec": None},
        {"spec": {"containers": None}},
    ],
)
def test_an_overlay_cannot_take_pods_from_behind_their_service(overlay: dict[str, Any]) -> None:
    made = deployment(WEB.having(podTemplate=overlay))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert made["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1"


def test_an_overlay_reaches_the_container_and_the_pod() -> None:
    overlay = {"spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "app", "workingDir": "/srv"}]}}
    resource = WEB.having(podTemplate=overlay)
    assert pod(resource)["nodeSelector"] == {"disk": "ssd"}
    assert container(resource)["workingDir"] == "/srv"
    assert container(resource)["image"] == "app:1"


def test_replicas_are_left_out_when_they_are_not_ours() -> None:
    assert "replicas" not in deployment(replicas=None)["spec"]
    assert deployment(replicas=0)["spec"]["replicas"] == 0


def test_everything_is_owned_and_found_by_label() -> None:
    record = WEB.record()
    autoscaling = parse_autoscaling({"maxReplicas": 3})
    assert autoscaling is not None
    made = [
        deployment(),
        build_record(OWNER, record),
        build_service(OWNER, "web", record.revision, (("http", 80),)),
        build_disruption_budget(OWNER, record.revision),
        build_autoscaler(OWNER, record, autoscaling, 0),
        build_config_copy(OWNER, record.revision, "a", {}),
        build_secret_copy(OWNER, record.revision, "b", {}),
    ]
    for manifest in made:
        assert OWNER.owns(manifest)
        assert not Owner("web", "default", "another").owns(manifest)
        assert manifest["metadata"]["labels"][names.LABEL_MANAGED_BY] == names.MANAGED_BY
        shared = manifest["kind"] in ("Service", "PodDisruptionBudget")
        assert revision_of(manifest) == (None if shared else record.revision)


def test_the_longest_names_still_fit_a_label() -> None:
    owner = Owner("x" * names.MAX_NAME_LENGTH, "default", "uid")
    assert len(owner.child("0" * 10) + "-" + "0" * 10) <= 63  # its ReplicaSet; names of pods are cut to fit
    assert len(owner.preview) <= 63


@pytest.mark.parametrize(("floor", "least"), [(0, 2), (4, 4), (9, 5)])
def test_an_autoscalers_floor_stays_within_its_bounds(floor: int, least: int) -> None:
    autoscaling = parse_autoscaling({"minReplicas": 2, "maxReplicas": 5})
    assert autoscaling is not None
    made = build_autoscaler(OWNER, WEB.record(), autoscaling, floor)
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (least, 5)


def test_a_service_selects_exactly_one_revision() -> None:
    made = build_service(OWNER, "web", "abc", ports_of({"port": 80}))
    assert made["spec"]["selector"] == {names.LABEL_OWNER: "web", names.LABEL_REVISION: "abc"}
    assert made["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]


def test_further_ports_are_in_the_pod_and_in_the_services_but_the_management_port_is_not() -> None:
    further = [{"name": "grpc", "port": 9091}, {"name": "admin-ui", "port": 9092}]
    resource = WEB.having(managementPort=9090, ports=further)
    in_pod = [(port["name"], port["containerPort"]) for port in container(resource)["ports"]]
    assert in_pod == [("http", 8000), ("management", 9090), ("grpc", 9091), ("admin-ui", 9092)]
    made = build_service(OWNER, "web", "abc", ports_of(resource.record().template))
    assert [(port["name"], port["port"], port["targetPort"]) for port in made["spec"]["ports"]] == [
        ("http", 8000, "http"),
        ("grpc", 9091, "grpc"),
        ("admin-ui", 9092, "admin-ui"),
    ]


def test_a_management_port_named_among_the_ports_is_in_the_services_and_once_in_the_pod() -> None:
    resource = WEB.having(managementPort=9090, ports=[{"name": "management", "port": 9090}])
    assert [port["name"] for port in container(resource)["ports"]] == ["http", "management"]
    made = build_service(OWNER, "web", "abc", ports_of(resource.record().template))
    assert [(port["name"], port["port"]) for port in made["spec"]["ports"]] == [("http", 8000), ("management", 9090)]


def test_a_record_can_be_read_back() -> None:
    resource = (
        WEB.autoscaled(2, 5)
        .having(ports=[{"name": "grpc", "port": 9091}])
        .having(config=[{"name": "files", "data": {"a": "1"}, "mountPath": "/etc/app"}])
    )
    record = resource.record("green", 7)
    assert parse_record(record.revision, build_record(OWNER, record)) == record


def test_equal_values_have_equal_digests() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": [1, 2]}) != digest({"a": [2, 1]})
