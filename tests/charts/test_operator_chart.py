"""The operator's chart: what runs, what it may do, and which values are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskservice_operator.cluster.kinds import DEPENDENT, LEASE, OWNED, PROMETHEUS_RULE, TASKSERVICE
from taskservice_operator.settings import read_settings

CHART = Path(__file__).resolve().parents[2] / "charts" / "taskservice-operator"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))

Manifest = dict[str, Any]


def one(manifests: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    (found,) = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    return found


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


@pytest.fixture(scope="module")
def manifests(helm) -> list[Manifest]:
    return helm.render("taskservice-operator")


@pytest.fixture(scope="module")
def pod(manifests: list[Manifest]) -> Manifest:
    return one(manifests, "Deployment")["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod: Manifest) -> Manifest:
    (only,) = pod["containers"]
    return only


def rights(role: Manifest) -> dict[str, set[str]]:
    """``group/resource`` → verbs."""
    granted: dict[str, set[str]] = {}
    for entry in role["rules"]:
        for group in entry["apiGroups"]:
            for resource in entry["resources"]:
                granted.setdefault(f"{group}/{resource}", set()).update(entry["verbs"])
    return granted


def address(kind: Any) -> str:
    return f"{kind.api_version.rpartition('/')[0]}/{kind.plural}"


@pytest.mark.parametrize("chart", ["taskservice-operator", "taskservice-crds"])
def test_lint_has_nothing_to_say(helm, chart: str) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHART.parent / chart))


@pytest.mark.parametrize("values", [None, *SCENARIOS], ids=["defaults", *(path.stem for path in SCENARIOS)])
def test_every_scenario_renders_with_labels_and_no_address_twice(helm, values: Path | None) -> None:
    rendered = helm.render("taskservice-operator", values)
    addresses = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in rendered]
    assert len(addresses) == len(set(addresses)) >= 7
    assert all(m["metadata"]["labels"]["app.kubernetes.io/part-of"] == "taskservice" for m in rendered)


def test_the_pod_satisfies_the_restricted_standard(pod: Manifest, container: Manifest) -> None:
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]


def test_two_replicas_wait_for_each_other_and_are_not_drained_together(manifests: list[Manifest]) -> None:
    assert one(manifests, "Deployment")["spec"]["replicas"] == 2
    assert one(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_single_replica_gets_no_budget_that_would_block_a_drain(helm) -> None:
    assert of_kind(helm.render("taskservice-operator", {"replicas": 1}), "PodDisruptionBudget") == []


def test_the_selectors_select_the_pods(manifests: list[Manifest]) -> None:
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    assert one(manifests, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels
    assert one(manifests, "Service")["spec"]["selector"].items() <= labels
    assert one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels


def test_the_probes_ask_what_the_operator_answers(container: Manifest) -> None:
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert container["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]


def test_the_environment_is_what_the_operator_reads(helm, container: Manifest) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    env = {entry["name"]: entry.get("value", "downward") for entry in container["env"]}
    settings = read_settings(env)
    assert settings.port == 8080
    assert settings.namespaces == ()
    assert settings.lease_name == "taskservice-operator"
    assert settings.lease_namespace == "downward"
    assert settings.workers == values["settings"]["workers"]
    assert settings.resync_seconds == values["settings"]["resyncSeconds"]
    assert settings.leader_election is True


def test_the_environment_has_no_variable_that_the_operator_does_not_know(container: Manifest) -> None:
    source = (CHART.parents[1] / "operator/src/taskservice_operator/settings.py").read_text(encoding="utf-8")
    for entry in container["env"]:
        name = entry["name"].removeprefix("TASKSERVICE_OPERATOR_")
        assert re.search(rf'"{name}"', source), f"settings.py does not read {entry['name']}"


def test_the_operator_may_do_what_it_does_and_nothing_else(manifests: list[Manifest]) -> None:
    granted = rights(one(manifests, "ClusterRole", "system:taskservice-operator"))
    look = {"get", "list", "watch"}
    assert granted.pop(address(TASKSERVICE)) == look
    assert granted.pop(address(TASKSERVICE) + "/status") == {"update"}
    assert granted.pop(address(TASKSERVICE) + "/finalizers") == {"update"}
    assert granted.pop("/events") == {"create", "patch"}
    for kind in OWNED:
        assert granted.pop(address(kind)) == look | {"create", "patch", "delete"}
    for kind in DEPENDENT:
        assert granted.pop(address(kind)) == look
    assert granted.pop(address(PROMETHEUS_RULE)) == look | {"create", "patch", "delete"}
    assert granted == {}


def test_the_lease_is_the_only_one_it_may_touch(manifests: list[Manifest], container: Manifest) -> None:
    role = one(manifests, "Role")
    assert role["metadata"]["namespace"] == "system"
    assert rights(role) == {address(LEASE): {"create", "get", "update"}}
    (bound,) = [entry for entry in role["rules"] if "resourceNames" in entry]
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert bound["resourceNames"] == [env["TASKSERVICE_OPERATOR_LEASE_NAME"]]


@pytest.mark.parametrize("values", [None, *SCENARIOS], ids=["defaults", *(path.stem for path in SCENARIOS)])
def test_no_role_has_wildcards(helm, values: Path | None) -> None:
    rendered = helm.render("taskservice-operator", values)
    for role in of_kind(rendered, "ClusterRole") + of_kind(rendered, "Role"):
        for entry in role["rules"]:
            assert "*" not in entry["verbs"] + entry["resources"] + entry["apiGroups"]


def test_everywhere_means_one_binding_for_the_cluster(manifests: list[Manifest]) -> None:
    (subject,) = one(manifests, "ClusterRoleBinding")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "taskservice-operator", "namespace": "system"}


def test_chosen_namespaces_mean_rights_there_and_nowhere_else(helm) -> None:
    rendered = helm.render("taskservice-operator", {"namespaces": ["shop", "billing"]})
    assert of_kind(rendered, "ClusterRoleBinding") == []
    bindings = of_kind(rendered, "RoleBinding")
    assert {binding["metadata"]["namespace"] for binding in bindings} == {"shop", "billing", "system"}
    (container,) = one(rendered, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "TASKSERVICE_OPERATOR_NAMESPACES", "value": "shop,billing"} in container["env"]


def test_people_get_their_rights_by_aggregation(manifests: list[Manifest]) -> None:
    view = one(manifests, "ClusterRole", "system:taskservice-operator:view")
    edit = one(manifests, "ClusterRole", "system:taskservice-operator:edit")
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert rights(view)["taskservice.dev/taskservices"] == {"get", "list", "watch"}
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert "taskservice.dev/taskservices/status" not in rights(edit)


def test_an_existing_service_account_is_used_and_not_made(helm) -> None:
    rendered = helm.render("taskservice-operator", {"serviceAccount": {"name": "mine"}})
    assert of_kind(rendered, "ServiceAccount") == []
    assert one(rendered, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_a_service_monitor_is_made_only_where_the_cluster_knows_the_kind(helm, manifests: list[Manifest]) -> None:
    assert of_kind(manifests, "ServiceMonitor") == []
    rendered = helm.render("taskservice-operator", None, "--api-versions", "monitoring.coreos.com/v1")
    monitor = one(rendered, "ServiceMonitor")
    assert monitor["spec"]["endpoints"] == [
        {"port": "metrics", "path": "/metrics", "interval": "30s", "honorLabels": True}
    ]
    labels = one(rendered, "Service")["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


VAULT = {"vault": {"address": "https://vault.secrets.svc:8200", "caConfigMap": "vault-ca"}}


def test_with_a_vault_and_only_then_the_operator_may_ask_for_tokens(helm, manifests: list[Manifest]) -> None:
    name = "system:taskservice-operator"
    without, granted = (
        rights(one(m, "ClusterRole", name)) for m in (manifests, helm.render("taskservice-operator", VAULT))
    )
    assert granted.pop("/serviceaccounts/token") == {"create"}
    assert granted == without


def test_with_a_vault_in_chosen_namespaces_tokens_can_be_had_there_and_nowhere_else(helm) -> None:
    rendered = helm.render("taskservice-operator", {**VAULT, "namespaces": ["shop"]})
    assert of_kind(rendered, "ClusterRoleBinding") == []
    bound = [b for b in of_kind(rendered, "RoleBinding") if b["roleRef"]["kind"] == "ClusterRole"]
    assert [binding["metadata"]["namespace"] for binding in bound] == ["shop"]


def test_the_environment_tells_of_vault_and_its_certificate_is_mounted(helm, tmp_path: Path) -> None:
    rendered = helm.render("taskservice-operator", VAULT)
    pod = one(rendered, "Deployment")["spec"]["template"]["spec"]
    env = {entry["name"]: entry.get("value", "downward") for entry in pod["containers"][0]["env"]}
    mounted = env["TASKSERVICE_OPERATOR_VAULT_CA_FILE"]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if mounted.startswith(m["mountPath"] + "/")]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    assert volume["configMap"]["name"] == "vault-ca"
    (tmp_path / "ca.crt").write_text("")
    vault = read_settings({**env, "TASKSERVICE_OPERATOR_VAULT_CA_FILE": str(tmp_path / "ca.crt")}).vault
    assert (vault.address, vault.auth_mount, vault.audience) == (VAULT["vault"]["address"], "kubernetes", "vault")
    assert (vault.poll_seconds, vault.concurrency) == (60, 4)


def test_without_a_vault_nothing_speaks_of_one(container: Manifest) -> None:
    assert not [entry for entry in container["env"] if "VAULT" in entry["name"]]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"vault": {"address": "vault:8200"}}, "address"),
        ({"vault": {"pollSeconds": 0}}, "pollSeconds"),
        ({"vault": {"token": "s.x"}}, "token"),
        ({"replica": 1}, "replica"),
        ({"image": ""}, "image"),
        ({"replicas": -1}, "replicas"),
        ({"namespaces": ["Shop"]}, "namespaces"),
        ({"settings": {"workers": 0}}, "workers"),
        ({"settings": {"logFormat": "xml"}}, "logFormat"),
        ({"settings": {"leaderElection": False}}, "replicas"),
        ({"resources": {"request": {}}}, "request"),
        ({"serviceMonitor": {"interval": "soon"}}, "interval"),
    ],
)
def test_bad_values_are_refused_by_name(helm, refusal, values: Manifest, words: str) -> None:
    with pytest.raises(refusal, match=words):
        helm.render("taskservice-operator", values)


def test_every_value_is_in_the_schema_and_the_file_is_short() -> None:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    schema = yaml.safe_load((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(yaml.safe_load(text)) == set(schema["properties"]) - {"global"}
    assert len(text.splitlines()) < 200


def test_one_kind_lives_in_one_template() -> None:
    for template in (CHART / "templates").glob("*.yaml"):
        assert len(re.findall(r"^kind: ", template.read_text(encoding="utf-8"), re.MULTILINE)) == 1, template.name
