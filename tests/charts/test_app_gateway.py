"""The sample's gateway as rendered: off unless asked for, and then no more reachable than is written down here."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography import x509

from taskservice.kit.settings import Settings

Manifest = dict[str, Any]
ON = {"gateway.enabled": True}
GROUPS = ("gateway.networking.k8s.io/", "gateway.envoyproxy.io/")


@pytest.fixture(scope="module")
def gateway(helm) -> list[Manifest]:
    return of_gateway(helm.render("taskservice-app", ON))


def of_gateway(manifests: list[Manifest]) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["apiVersion"].startswith(GROUPS)]


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def routes(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "HTTPRoute"}


def targets(policy: Manifest) -> set[str]:
    return {f"{target['kind']}/{target['name']}" for target in policy["spec"]["targetRefs"]}


def test_without_being_asked_for_there_is_no_gateway(helm) -> None:
    assert of_gateway(helm.render("taskservice-app")) == []


def test_only_the_services_api_paths_lead_to_a_service_and_never_to_the_management_port(
    gateway: list[Manifest],
) -> None:
    reachable = {
        (match["path"]["value"], backend["name"], backend["port"])
        for spec in routes(gateway).values()
        for rule in spec["rules"]
        for match in rule.get("matches", [])
        for backend in rule.get("backendRefs", [])
    }
    assert {port for *_, port in reachable} == {8000}
    assert {path for path, service, _ in reachable if service == "tasks"} == {"/v1/tasks", "/v1/activity"}
    assert all(
        path in {"/.well-known", "/v1/auth"} or path.startswith("/v1/auth/")
        for path, service, _ in reachable
        if service == "auth"
    )


def test_in_the_clear_there_is_nothing_but_the_redirect(gateway: list[Manifest]) -> None:
    in_the_clear = {name for name, spec in routes(gateway).items() if spec["parentRefs"][0]["sectionName"] != "https"}
    assert in_the_clear == {"to-https"}
    (rule,) = routes(gateway)["to-https"]["rules"]
    assert "backendRefs" not in rule


def test_whatever_is_not_for_those_without_a_token_is_behind_the_verification(gateway: list[Manifest]) -> None:
    guarded = targets(one(gateway, "SecurityPolicy", "tokens"))
    leading_to_services = {
        f"HTTPRoute/{name}"
        for name, spec in routes(gateway).items()
        if any("backendRefs" in rule for rule in spec["rules"])
    }
    assert leading_to_services - guarded == {"HTTPRoute/keys", "HTTPRoute/sign-in", "HTTPRoute/refresh"}


def test_every_route_to_a_service_has_a_budget(gateway: list[Manifest]) -> None:
    policies = [m for m in gateway if m["kind"] == "BackendTrafficPolicy" and "rateLimit" in m["spec"]]
    names = ("keys", "sign-in", "refresh", "reads", "writes")
    assert set().union(*map(targets, policies)) == {f"HTTPRoute/{name}" for name in names}
    for policy in policies:
        assert policy["spec"]["mergeType"] == "StrategicMerge"  # or the common timeouts would be lost
        assert all(rule["shared"] for rule in policy["spec"]["rateLimit"]["global"]["rules"])


def test_only_what_changes_nothing_is_repeated_after_it_may_have_arrived(gateway: list[Manifest]) -> None:
    for name, spec in routes(gateway).items():
        matches = [match for rule in spec["rules"] if "backendRefs" in rule for match in rule["matches"]]
        if not matches:
            continue
        triggers = set(one(gateway, "BackendTrafficPolicy", name)["spec"]["retry"]["retryOn"]["triggers"])
        if not all(match.get("method") in {"GET", "HEAD"} for match in matches):
            assert triggers <= {"connect-failure", "refused-stream", "reset-before-request"}, name


def test_the_gateway_gives_idle_connections_up_before_the_services_do(gateway: list[Manifest]) -> None:
    common = one(gateway, "BackendTrafficPolicy", "taskservice")["spec"]
    idle = int(common["timeout"]["http"]["connectionIdleTimeout"].removesuffix("s"))
    assert idle <= Settings.model_fields["keep_alive_seconds"].default - 10


def test_the_gateway_accepts_the_bodies_that_the_services_accept(gateway: list[Manifest]) -> None:
    limit = one(gateway, "BackendTrafficPolicy", "taskservice")["spec"]["requestBuffer"]["limit"]
    assert int(limit.removesuffix("Ki")) * 1024 == Settings.model_fields["max_body_bytes"].default


def test_what_the_edge_refuses_is_a_problem_document_and_the_services_answers_are_left_alone(
    gateway: list[Manifest],
) -> None:
    overrides = one(gateway, "BackendTrafficPolicy", "taskservice")["spec"]["responseOverride"]
    for override in overrides:
        assert override["source"] == "Local"
        document = json.loads(override["response"]["body"]["inline"])
        assert override["response"]["contentType"] == "application/problem+json"
        assert document["status"] == override["match"]["statusCodes"][0]["value"]
        assert document["type"].startswith("urn:taskservice:problem:")


@pytest.mark.parametrize("listener", ["http", "https"])
def test_an_address_that_the_caller_claims_is_believed_only_where_proxies_of_ours_are_in_front(
    helm, listener: str
) -> None:
    alone = one(helm.render("taskservice-app", ON), "ClientTrafficPolicy", listener)["spec"]
    assert "clientIPDetection" not in alone
    assert "x-forwarded-for" in alone["headers"]["earlyRequestHeaders"]["remove"]
    behind_two = helm.render("taskservice-app", {**ON, "gateway.trustedHops": 2})
    behind = one(behind_two, "ClientTrafficPolicy", listener)["spec"]
    assert behind["clientIPDetection"] == {"xForwardedFor": {"numTrustedHops": 2}}
    assert behind["headers"]["earlyRequestHeaders"]["remove"] == ["x-taskservice-user"]


def test_names_are_served_as_they_are_given_and_any_other_is_not_found(helm) -> None:
    given = routes(of_gateway(helm.render("taskservice-app", {**ON, "gateway.hostnames": ["a.example.com"]})))
    assert {name for name, spec in given.items() if "hostnames" not in spec} == {"unserved", "to-https"}
    assert given["reads"]["hostnames"] == ["a.example.com"]


def test_a_certificate_is_made_only_for_development_and_for_the_served_names(helm) -> None:
    def secrets(values: Manifest) -> list[Manifest]:
        rendered = helm.render("taskservice-app", values)
        return [m for m in rendered if m["kind"] == "Secret" and m.get("type") == "kubernetes.io/tls"]

    names = ["a.example.com", "b.example.com"]
    assert secrets(ON) == []
    (made,) = secrets({**ON, "gateway.tls.selfSigned": True, "gateway.hostnames": names})
    certificate = x509.load_pem_x509_certificate(base64.b64decode(made["data"]["tls.crt"]))
    served = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert served.get_values_for_type(x509.DNSName) == names


def test_the_access_log_has_no_query_no_token_and_no_body(gateway: list[Manifest]) -> None:
    (setting,) = one(gateway, "EnvoyProxy", "taskservice")["spec"]["telemetry"]["accessLog"]["settings"]
    fields = setting["format"]["json"]
    assert fields["path"] == "%PATH(NQ)%"
    assert "AUTHORIZATION" not in json.dumps(fields).upper()
    assert fields["trace_id"] == "%TRACE_ID%"


def test_traces_go_to_a_name_and_not_to_a_reference_that_could_make_the_gateway_invalid(helm) -> None:
    collector = {"gateway.tracing.collector": {"name": "otel", "port": 4317, "namespace": "seen"}}
    proxy = one(helm.render("taskservice-app", {**ON, **collector}), "EnvoyProxy", "taskservice")["spec"]
    provider = proxy["telemetry"]["tracing"]["provider"]
    assert (provider["host"], provider["port"]) == ("otel.seen.svc.cluster.local", 4317)
    assert "backendRefs" not in provider


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway.trustedHops": -1},
        {"gateway.maxBody": "64"},
        {"gateway.hostnames": ["no spaces"]},
        {"gateway.limits.readsPerUser": {"requests": 0, "unit": "Minute"}},
        {"gateway.limits.readsPerUser": {"requests": 1, "unit": "Fortnight"}},
        {"gateway.tracing.collector": {"name": "without-a-port"}},
        {"gateway.proxyNetworks": ["10.0.0.1"]},
        {"gateway.other": 1},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(helm, refusal: type[Exception], wrong: Manifest) -> None:
    with pytest.raises(refusal, match="gateway"):
        helm.render("taskservice-app", {**ON, **wrong})


def test_auth_believes_the_gateways_proxies_and_nobody_without_a_gateway(helm) -> None:
    def settings(values: dict[str, Any]) -> dict[str, str]:
        auth = one(helm.render("taskservice-app", values), "TaskService", "auth")
        return auth["spec"]["config"][0]["data"]

    assert "TASKSERVICE_TRUSTED_PROXIES" not in settings({})
    assert "10.0.0.0/8," in settings(ON)["TASKSERVICE_TRUSTED_PROXIES"]
    chosen = settings(ON | {"gateway.proxyNetworks": ["192.0.2.0/24", "2001:db8::/32"]})
    assert chosen["TASKSERVICE_TRUSTED_PROXIES"] == "192.0.2.0/24,2001:db8::/32"
    values = {"mongo_url": "mongodb://unused", "trusted_proxies": chosen["TASKSERVICE_TRUSTED_PROXIES"]}
    assert len(Settings(**values).trusted_proxies) == 2
