"""The sample's worker and its broker as rendered: who holds which secret, what is asked of them, how to do without."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import pytest

from taskservice.kit.settings import WorkerSettings

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def sample(helm) -> list[Manifest]:
    return helm.render("taskservice-app")


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def names(manifests: list[Manifest], kind: str) -> set[str]:
    return {m["metadata"]["name"] for m in manifests if m["kind"] == kind}


def secret(manifests: list[Manifest], name: str) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in one(manifests, "Secret", name)["data"].items()}


def broker(manifests: list[Manifest]) -> Manifest:
    return one(manifests, "StatefulSet", "rabbitmq")["spec"]["template"]["spec"]["containers"][0]


def test_the_worker_gets_an_address_under_which_the_broker_lets_it_in(sample: list[Manifest]) -> None:
    (reference,) = [
        s["secretRef"] for s in one(sample, "TaskService", "worker")["spec"]["secrets"] if s["name"] == "bus"
    ]
    url = urlsplit(secret(sample, reference["name"])["TASKSERVICE_BUS_URL"])
    service = one(sample, "Service", "rabbitmq")
    assert (url.scheme, url.hostname, url.port) == ("amqp", "rabbitmq", service["spec"]["ports"][0]["port"])
    environment = {entry["name"]: entry for entry in broker(sample)["env"]}
    assert environment["RABBITMQ_DEFAULT_USER"]["value"] == url.username
    password = environment["RABBITMQ_DEFAULT_PASS"]["valueFrom"]["secretKeyRef"]
    assert secret(sample, password["name"])[password["key"]] == url.password
    assert len(url.password or "") == 32


def test_only_the_worker_holds_the_brokers_address_and_it_holds_no_more_than_it_reads(sample: list[Manifest]) -> None:
    held = {
        name: {entry["name"] for entry in one(sample, "TaskService", name)["spec"]["secrets"]}
        for name in names(sample, "TaskService")
    }
    assert held["worker"] == {"mongo", "bus"}
    assert [name for name in held if "bus" in held[name]] == ["worker"]
    given = {
        key
        for entry in one(sample, "TaskService", "worker")["spec"]["secrets"]
        for key in secret(sample, entry["secretRef"]["name"])
    }
    required = {
        f"TASKSERVICE_{name.upper()}" for name, field in WorkerSettings.model_fields.items() if field.is_required()
    }
    assert given == required


def test_no_manifest_but_the_secrets_holds_the_brokers_password(sample: list[Manifest]) -> None:
    password = secret(sample, "rabbitmq-admin")["password"]
    assert [m["kind"] for m in sample if password in str(m)] == []


def test_the_worker_is_judged_by_its_only_port(sample: list[Manifest]) -> None:
    spec = one(sample, "TaskService", "worker")["spec"]
    assert spec["port"] == WorkerSettings.model_fields["management_port"].default
    asked = {kind: (probe["httpGet"]["path"], probe["httpGet"]["port"]) for kind, probe in spec["probes"].items()}
    assert asked == {"startup": ("/livez", "http"), "liveness": ("/livez", "http"), "readiness": ("/readyz", "http")}
    assert [metric["http"]["path"] for metric in spec["rollout"]["analysis"]["prePromotion"]] == ["/readyz"]


def test_the_broker_writes_nowhere_but_to_its_volumes_and_listens_to_nothing_but_amqp(sample: list[Manifest]) -> None:
    container = broker(sample)
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert {environment[name] for name in ("RABBITMQ_MNESIA_BASE", "RABBITMQ_LOG_BASE", "HOME")} <= mounts
    assert [port["containerPort"] for port in container["ports"]] == [5672]
    settings = one(sample, "ConfigMap", "rabbitmq")["data"]
    assert settings["enabled_plugins"].strip() == "[]."
    assert "127,0,0,1" in environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
    assert environment["ERL_EPMD_ADDRESS"] == "127.0.0.1"


def test_the_broker_halts_publishing_below_its_memory_limit_and_restarts_when_that_is_changed(helm) -> None:
    before, after = (helm.render("taskservice-app", {"rabbitmq.maxMemory": size}) for size in ("200MB", "300MB"))
    assert "vm_memory_high_watermark.absolute = 300MB" in one(after, "ConfigMap", "rabbitmq")["data"]["rabbitmq.conf"]
    pods = [one(manifests, "StatefulSet", "rabbitmq")["spec"]["template"] for manifests in (before, after)]
    assert pods[0]["metadata"]["annotations"] != pods[1]["metadata"]["annotations"]


def test_without_a_worker_there_is_no_broker(helm) -> None:
    manifests = helm.render("taskservice-app", {"worker.enabled": False})
    assert names(manifests, "TaskService") == {"auth", "tasks"}
    assert "rabbitmq" not in str(manifests)


def test_a_broker_from_elsewhere_takes_the_place_of_ours(helm) -> None:
    manifests = helm.render("taskservice-app", {"rabbitmq.enabled": False, "rabbitmq.externalUrlSecret": "kafka"})
    assert "rabbitmq" not in {m["metadata"]["name"] for m in manifests}
    assert {"name": "bus", "secretRef": {"name": "kafka"}} in one(manifests, "TaskService", "worker")["spec"]["secrets"]


def test_with_storage_the_brokers_data_outlives_its_pod(helm) -> None:
    spec = one(helm.render("taskservice-app", {"rabbitmq.storage.size": "1Gi"}), "StatefulSet", "rabbitmq")["spec"]
    assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["data"]
    assert "data" not in {volume["name"] for volume in spec["template"]["spec"]["volumes"]}


def test_without_secrets_of_its_own_the_chart_makes_none(helm) -> None:
    elsewhere = {name: {"enabled": False, "externalUrlSecret": f"my-{name}"} for name in ("mongo", "redis", "rabbitmq")}
    rendered = helm.render("taskservice-app", {"secrets": {"create": False}, **elsewhere})
    assert names(rendered, "Secret") == set()


def test_whatever_installs_the_sample_may_annotate_its_taskservices(helm) -> None:
    rendered = helm.render("taskservice-app", {"taskServiceAnnotations": {"example.com/wait": "Ready"}})
    for name in ("auth", "tasks", "worker"):
        assert one(rendered, "TaskService", name)["metadata"]["annotations"] == {"example.com/wait": "Ready"}
