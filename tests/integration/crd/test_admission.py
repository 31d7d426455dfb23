"""What a real API server makes of a TaskService: it fills in, accepts, or refuses with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api.schema import apply_defaults
from taskservice_operator.api.schema_spec import spec as spec_schema
from taskservice_operator.api.spec import parse_spec

Json = dict[str, Any]

IMAGE = {"image": "example/tasks:1"}
HTTP = {"httpGet": {"path": "/readyz", "port": 8000}}
FULL: Json = {
    "image": "registry.example/tasks@sha256:0123",
    "imagePullPolicy": "IfNotPresent",
    "command": ["python", "-m", "taskservice"],
    "args": ["tasks"],
    "env": [
        {"name": "LOG_LEVEL", "value": "info"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
    ],
    "envFrom": [{"prefix": "SHARED_", "configMapRef": {"name": "shared", "optional": True}}],
    "port": 8000,
    "managementPort": 9000,
    "ports": [{"name": "grpc", "port": 9091}, {"name": "admin-ui", "port": 9092}, {"name": "management", "port": 9000}],
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": 1, "memory": "256Mi"}},
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccountName": "tasks",
    "probes": {
        "readiness": HTTP | {"periodSeconds": 2, "successThreshold": 2},
        "liveness": {"exec": {"command": ["true"]}},
        "startup": {"grpc": {"port": 9000}, "failureThreshold": 30},
    },
    "podTemplate": {"metadata": {"labels": {"team": "a"}}, "spec": {"priorityClassName": "high"}},
    "replicas": 3,
    "autoscaling": {
        "minReplicas": 2,
        "maxReplicas": 10,
        "targetCPUUtilizationPercentage": 70,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}},
            }
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    },
    "config": [
        {"name": "settings", "data": {"LIMIT": "10"}},
        {"name": "files", "configMapRef": {"name": "files"}, "mountPath": "/etc/tasks"},
    ],
    "secrets": [
        {"name": "credentials", "secretRef": {"name": "tasks-credentials"}},
        {"name": "login", "vault": {"path": "taskservices/shop/tasks", "role": "shop-tasks", "key": "password"}},
    ],
    "rollout": {
        "strategy": "BlueGreen",
        "blueGreen": {"autoPromotion": False, "previewReplicas": 1, "scaleDownDelaySeconds": 0},
        "analysis": {
            "prePromotion": [{"name": "smoke", "http": {"path": "/readyz", "headers": {"Host": "tasks"}}}],
            "postPromotion": [{"name": "alive", "count": 3, "failureLimit": 1}],
        },
    },
    "slo": {"availability": "99.95", "latency": {"percentile": 95, "milliseconds": 300}},
    "paused": True,
}


def metric(**settings: Any) -> Json:
    return IMAGE | {"rollout": {"analysis": {"prePromotion": [{"name": "smoke", **settings}]}}}


def canary(*steps: Json, **fields: Any) -> Json:
    return IMAGE | {"rollout": {"strategy": "Canary", "canary": {"steps": list(steps), **fields}}}


def blue_green(**settings: Any) -> Json:
    return IMAGE | {"rollout": {"blueGreen": settings}}


REFUSED: dict[str, tuple[Json, str]] = {
    "no image": ({}, "spec.image: Required value"),
    "an empty image": ({"image": ""}, "spec.image"),
    "an image with a space": ({"image": "a b"}, "spec.image"),
    "a port of 0": (IMAGE | {"port": 0}, "spec.port in body should be greater than or equal to 1"),
    "a port of 70000": (IMAGE | {"port": 70000}, "spec.port in body should be less than or equal to 65535"),
    "a management port that is the port": (IMAGE | {"managementPort": 8000}, "managementPort equals port"),
    "a further port that is the port": (
        IMAGE | {"ports": [{"name": "grpc", "port": 8000}]},
        "an entry of ports has the number of port or managementPort",
    ),
    "a further port that is the management port": (
        IMAGE | {"managementPort": 9000, "ports": [{"name": "grpc", "port": 9000}]},
        "an entry of ports has the number of port or managementPort",
    ),
    "a management entry that is not the management port": (
        IMAGE | {"managementPort": 9000, "ports": [{"name": "management", "port": 9001}]},
        "must have, the number of managementPort",
    ),
    "a management entry without a management port": (
        IMAGE | {"ports": [{"name": "management", "port": 9001}]},
        "must have, the number of managementPort",
    ),
    "two further ports of one number": (
        IMAGE | {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 1}]},
        "two entries of ports have the same number",
    ),
    "two further ports of one name": (
        IMAGE | {"ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}]},
        "spec.ports[1]: Duplicate value",
    ),
    "a further port named as the main one": (
        IMAGE | {"ports": [{"name": "http", "port": 1}]},
        "this name is taken",
    ),
    "a further port with a name that no container port may have": (
        IMAGE | {"ports": [{"name": "a--b", "port": 1}]},
        "spec.ports[0].name in body should match",
    ),
    "a further port without a number": (IMAGE | {"ports": [{"name": "a"}]}, "spec.ports[0].port: Required value"),
    "more replicas than anybody means": (IMAGE | {"replicas": 100000}, "spec.replicas"),
    "negative replicas": (IMAGE | {"replicas": -1}, "spec.replicas"),
    "minReplicas above maxReplicas": (
        IMAGE | {"autoscaling": {"minReplicas": 5, "maxReplicas": 2}},
        "lower minReplicas or raise maxReplicas",
    ),
    "a default minReplicas is compared too": (
        IMAGE | {"autoscaling": {"maxReplicas": 0}},
        "spec.autoscaling.maxReplicas",
    ),
    "autoscaling without a maximum": (
        IMAGE | {"autoscaling": {}},
        "spec.autoscaling.maxReplicas: Required value",
    ),
    "a metric without a type": (
        IMAGE | {"autoscaling": {"maxReplicas": 2, "metrics": [{}]}},
        "spec.autoscaling.metrics[0].type: Required value",
    ),
    "an unknown strategy": (
        IMAGE | {"rollout": {"strategy": "Rolling"}},
        'supported values: "BlueGreen", "Canary"',
    ),
    "a canary without steps": (IMAGE | {"rollout": {"strategy": "Canary"}}, "give rollout.canary.steps, such as"),
    "a canary with no steps": (canary(), "give rollout.canary.steps, such as"),
    "a canary that begins with a pause": (canary({"pause": {}}), "the first step must be a setWeight"),
    "a step of both kinds": (canary({"setWeight": 5, "pause": {}}), "exactly one of setWeight and pause"),
    "a step of neither kind": (canary({"setWeight": 5}, {}), "exactly one of setWeight and pause"),
    "a weight of nothing": (canary({"setWeight": 0}), "greater than or equal to 1"),
    "a weight of more than all": (canary({"setWeight": 101}), "less than or equal to 100"),
    "a surge in words": (canary({"setWeight": 5}, maxSurge="two"), "spec.rollout.canary.maxSurge"),
    "a negative surge": (canary({"setWeight": 5}, maxSurge=-1), "give a number of pods from 0 to 1000"),
    "a canary that autoscales": (
        canary({"setWeight": 5}) | {"autoscaling": {"maxReplicas": 3}},
        "use strategy BlueGreen, or replicas instead of autoscaling",
    ),
    "an unknown field": (IMAGE | {"replica": 2}, 'unknown field "spec.replica"'),
    "a negative scale-down delay": (blue_green(scaleDownDelaySeconds=-1), "greater than or equal to 0"),
    "a negative promotion delay": (blue_green(autoPromotionSeconds=-5), "greater than or equal to 0"),
    "a negative abort delay": (
        IMAGE | {"rollout": {"abortScaleDownDelaySeconds": -1}},
        "greater than or equal to 0",
    ),
    "a deadline of nothing": (
        IMAGE | {"rollout": {"progressDeadlineSeconds": 0}},
        "greater than or equal to 1",
    ),
    "a preview without pods": (blue_green(previewReplicas=0), "greater than or equal to 1"),
    "a probe with no handler": (
        IMAGE | {"probes": {"readiness": {"periodSeconds": 2}}},
        "a probe needs exactly one of httpGet, tcpSocket, exec and grpc",
    ),
    "a probe with two handlers": (
        IMAGE | {"probes": {"liveness": HTTP | {"tcpSocket": {"port": 1}}}},
        "a probe needs exactly one of httpGet, tcpSocket, exec and grpc",
    ),
    "a probe without a port": (
        IMAGE | {"probes": {"startup": {"httpGet": {"path": "/"}}}},
        "spec.probes.startup.httpGet.port: Required value",
    ),
    "a probe with a relative path": (
        IMAGE | {"probes": {"startup": {"httpGet": {"path": "x", "port": 1}}}},
        "spec.probes.startup.httpGet.path",
    ),
    "two successes for liveness": (
        IMAGE | {"probes": {"liveness": HTTP | {"successThreshold": 2}}},
        "less than or equal to 1",
    ),
    "config from nowhere": (IMAGE | {"config": [{"name": "a"}]}, "give exactly one of data and configMapRef"),
    "config from two places": (
        IMAGE | {"config": [{"name": "a", "data": {}, "configMapRef": {"name": "a"}}]},
        "give exactly one of data and configMapRef",
    ),
    "config twice": (
        IMAGE | {"config": [{"name": "a", "data": {}}, {"name": "a", "data": {}}]},
        "spec.config[1]: Duplicate value",
    ),
    "config and secret of one name": (
        IMAGE | {"config": [{"name": "a", "data": {}}], "secrets": [{"name": "a", "secretRef": {"name": "a"}}]},
        "have the same name: rename one of them",
    ),
    "one folder for two": (
        IMAGE | {"config": [{"name": n, "data": {}, "mountPath": "/etc/a"} for n in ("a", "b")]},
        "two entries have the same mountPath",
    ),
    "one folder for config and secret": (
        IMAGE
        | {
            "config": [{"name": "a", "data": {}, "mountPath": "/etc/a"}],
            "secrets": [{"name": "b", "secretRef": {"name": "b"}, "mountPath": "/etc/a"}],
        },
        "have the same mountPath: change one of them",
    ),
    "a relative folder": (
        IMAGE | {"config": [{"name": "a", "data": {}, "mountPath": "etc"}]},
        "mountPath must be an absolute path",
    ),
    "the scratch folder": (
        IMAGE | {"config": [{"name": "a", "data": {}, "mountPath": "/tmp"}]},
        "choose another folder",
    ),
    "a secret without a reference": (
        IMAGE | {"secrets": [{"name": "a"}]},
        "give exactly one of secretRef and vault",
    ),
    "a secret from two places": (
        IMAGE | {"secrets": [{"name": "a", "secretRef": {"name": "a"}, "vault": {"path": "a"}}]},
        "give exactly one of secretRef and vault",
    ),
    "a path that leads out of its mount": (
        IMAGE | {"secrets": [{"name": "a", "vault": {"path": "../sys/raw"}}]},
        "spec.secrets[0].vault.path: Invalid value",
    ),
    "a path that begins with a slash": (
        IMAGE | {"secrets": [{"name": "a", "vault": {"path": "/secret/a"}}]},
        "spec.secrets[0].vault.path: Invalid value",
    ),
    "a variable with value and source": (
        IMAGE | {"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        "both value and valueFrom",
    ),
    "a variable from nowhere": (
        IMAGE | {"env": [{"name": "A", "valueFrom": {}}]},
        "valueFrom needs exactly one of",
    ),
    "a variable twice": (IMAGE | {"env": [{"name": "A"}, {"name": "A"}]}, "spec.env[1]: Duplicate value"),
    "an amount of nonsense": (
        IMAGE | {"resources": {"requests": {"cpu": "much"}}},
        "spec.resources.requests.cpu",
    ),
    "a measurement by nobody we know": (metric(provider="oracle"), 'supported values: "http"'),
    "too many requests per measurement": (metric(http={"requests": 1000}), "less than or equal to 100"),
    "a measurement that cannot fail": (metric(count=2, failureLimit=2), "this metric can never fail"),
    "a negative analysis delay": (metric(initialDelaySeconds=-1), "greater than or equal to 0"),
    "a promise of nothing": (IMAGE | {"slo": {}}, "slo promises nothing: give availability, latency, or both"),
    "an availability as a number": (IMAGE | {"slo": {"availability": 99.9}}, "spec.slo.availability"),
    "an availability of everything": (IMAGE | {"slo": {"availability": "100"}}, "a percentage from 95 to 99.9999"),
    "an availability too low to be alerted on": (
        IMAGE | {"slo": {"availability": "90"}},
        "a percentage from 95 to 99.9999",
    ),
    "an availability that is no number": (IMAGE | {"slo": {"availability": "99,9"}}, 'write it like "99.9"'),
    "a latency without a time": (
        IMAGE | {"slo": {"latency": {}}},
        "spec.slo.latency.milliseconds: Required value",
    ),
    "a latency of a day": (IMAGE | {"slo": {"latency": {"milliseconds": 86400000}}}, "less than or equal to 60000"),
    "a percentile of half": (
        IMAGE | {"slo": {"latency": {"percentile": 50, "milliseconds": 300}}},
        "greater than or equal to 95",
    ),
    "a status that is none": (metric(http={"expectedStatuses": [42]}), "greater than or equal to 100"),
}


@pytest.mark.parametrize(("spec", "sentence"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_with_a_sentence(taskservices, refusal, spec: Json, sentence: str) -> None:
    with pytest.raises(refusal) as refused:
        taskservices.admit(spec)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a" * 41, "metadata.name is longer than 40 characters"),
        ("1st", "metadata.name must begin with a letter"),
        ("tasks.v1", "metadata.name must begin with a letter"),
    ],
)
def test_a_name_that_its_children_could_not_carry_is_refused(taskservices, refusal, name: str, sentence: str) -> None:
    with pytest.raises(refusal, match=sentence):
        taskservices.admit(IMAGE, name)


@pytest.mark.parametrize("name", ["a", "a" * 40, "tasks-2"])
def test_names_up_to_the_bound_are_taken(taskservices, name: str) -> None:
    assert taskservices.admit(IMAGE, name)["metadata"]["name"] == name


def test_an_image_is_enough_and_everything_else_is_filled_in(taskservices) -> None:
    assert taskservices.admit(IMAGE)["spec"] == IMAGE | {
        "port": 8000,
        "replicas": 2,
        "paused": False,
        "rollout": {
            "strategy": "BlueGreen",
            "blueGreen": {"autoPromotion": True, "autoPromotionSeconds": 0, "scaleDownDelaySeconds": 300},
            "progressDeadlineSeconds": 600,
            "abortScaleDownDelaySeconds": 30,
            "revisionHistoryLimit": 10,
        },
    }


BY_STEPS = canary({"setWeight": 10}, {"pause": {"seconds": 60}}, {"setWeight": 50}, {"pause": {}}, maxSurge=1)


@pytest.mark.parametrize("spec", [IMAGE, FULL, BY_STEPS], ids=["minimal", "full", "canary"])
def test_what_is_stored_is_what_the_code_believes_the_defaults_to_be(taskservices, spec: Json) -> None:
    stored = taskservices.admit(spec)["spec"]
    assert stored == apply_defaults(spec_schema(), spec)
    assert parse_spec(stored).rollout == parse_spec(spec).rollout


def test_every_field_at_once_is_accepted_and_none_is_lost(taskservices) -> None:
    stored = taskservices.admit(FULL)["spec"]
    assert stored["podTemplate"] == FULL["podTemplate"]
    assert stored["autoscaling"] == FULL["autoscaling"]
    assert stored["probes"] == FULL["probes"]
    assert stored["env"] == FULL["env"]


def test_the_lists_may_be_as_long_as_the_schema_says(taskservices) -> None:
    many = {"config": [{"name": f"c{n}", "data": {"A": "1"}, "mountPath": f"/etc/c{n}"} for n in range(20)]}
    many["secrets"] = [{"name": f"s{n}", "secretRef": {"name": "s"}, "mountPath": f"/etc/s{n}"} for n in range(20)]
    many["env"] = [{"name": f"E{n}", "value": "x"} for n in range(200)]
    assert len(taskservices.admit(IMAGE | many)["spec"]["env"]) == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tsvc", "what it runs, how it scales"),
        ("tsvc.spec.rollout.blueGreen.autoPromotion", "kubectl taskservice promote"),
        ("tsvc.spec.rollout.canary.steps.pause", "kubectl taskservice promote"),
        ("tsvc.status.canary", "the rest goes to the stable revision"),
        ("tsvc.spec.config.mountPath", "every key becomes a file"),
        ("tsvc.spec.slo", "burn-rate alerts and a dashboard"),
        ("tsvc.status.conditions", "Ready sums them up"),
    ],
)
def test_kubectl_explain_tells_what_a_field_means(server, definition: Json, path: str, words: str) -> None:
    assert words in " ".join(server.kubectl("explain", path).split())
