"""Secrets of Vault in decisions: what is new waits, what is on record does not, every trouble says what to do."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from taskservice_operator.core import vaulted
from taskservice_operator.core.model import (
    Apply,
    Create,
    ObjectKey,
    Plan,
    VaultAnswer,
    VaultContent,
    VaultRequest,
    VaultTrouble,
)
from taskservice_operator.core.reconcile import decide
from testkit.builders import START, TaskServiceBuilder, a_taskservice
from testkit.simulation import Simulation
from testkit.world import World

PATH = "taskservices/default/web"
REQUEST = VaultRequest("default", "default", "default-default", "secret", PATH)
WEB = a_taskservice().replicas(2).having(secrets=[{"name": "login", "vault": {"path": PATH}}])
SEALED = VaultTrouble("VaultSealed")


def content(**values: str) -> VaultContent:
    return VaultContent({key: base64.b64encode(value.encode()).decode() for key, value in values.items()})


def decide_on(world: World, answer: VaultAnswer | None, request: VaultRequest = REQUEST) -> Plan:
    answers: Mapping[VaultRequest, VaultAnswer] = {} if answer is None else {request: answer}
    return decide(replace(world.snapshot(), vault=answers), world.now)


def lived(answer: VaultAnswer | None, resource: TaskServiceBuilder = WEB, seconds: float = 30) -> Simulation:
    """A TaskService whose life so far has had that answer."""
    simulation = Simulation(World.of(resource))
    simulation.world.set_vault(REQUEST, answer)
    simulation.run(seconds)
    return simulation


def condition(status: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return next((c for c in status["conditions"] if c["type"] == kind), {})


def writes(plan: Plan) -> list[str]:
    return [str(ObjectKey.of(a.manifest)) for a in plan.actions if isinstance(a, Create | Apply)]


# -- what is asked for ---------------------------------------------------------------------------------------------


def test_a_secret_is_asked_for_as_the_pods_service_account() -> None:
    resource = WEB.having(serviceAccountName="web")
    assert vaulted.requests(resource.manifest()) == {VaultRequest("default", "web", "default-web", "secret", PATH)}


def test_mount_and_role_can_be_named() -> None:
    vault = {"path": "a/b", "mount": "teams/kv", "role": "readers"}
    resource = a_taskservice().having(secrets=[{"name": "login", "vault": vault}])
    assert vaulted.requests(resource.manifest()) == {VaultRequest("default", "default", "readers", "teams/kv", "a/b")}


@pytest.mark.parametrize("spec", [{}, {"image": "a", "secrets": "nonsense"}, {"image": "a", "secrets": [{"vault": 1}]}])
def test_a_spec_that_cannot_be_read_asks_for_nothing(spec: dict[str, Any]) -> None:
    assert vaulted.requests({"metadata": {"namespace": "default"}, "spec": spec}) == frozenset()


# -- the content is part of the revision ---------------------------------------------------------------------------


def test_what_vault_gives_is_copied_and_the_pods_get_the_copy() -> None:
    plan = decide_on(World.of(WEB), content(PASSWORD="one"))
    (copy,) = [a.manifest for a in plan.actions if isinstance(a, Create) and a.manifest["kind"] == "Secret"]
    assert copy["data"] == {"PASSWORD": "b25l"}
    assert copy["immutable"] is True
    (deployment,) = [a.manifest for a in plan.actions if isinstance(a, Create) and a.manifest["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": copy["metadata"]["name"]}}]


def test_only_the_key_that_is_asked_for_is_copied() -> None:
    resource = a_taskservice().having(secrets=[{"name": "login", "vault": {"path": PATH, "key": "b"}}])
    plan = decide_on(World.of(resource), content(a="1", b="2"))
    (copy,) = [a.manifest for a in plan.actions if isinstance(a, Create) and a.manifest["kind"] == "Secret"]
    assert copy["data"] == {"b": "Mg=="}


def test_a_rotated_secret_is_released_and_a_rollback_brings_the_old_one_back() -> None:
    simulation = lived(content(PASSWORD="one"))
    first = simulation.world.status["revisions"]["active"]
    simulation.world.set_vault(REQUEST, content(PASSWORD="two"))
    simulation.run(30)
    second = simulation.world.status["revisions"]["active"]
    assert second != first
    simulation.world.annotate("rollback", second)
    simulation.run(30)
    assert simulation.world.status["revisions"]["active"] == first
    copy = simulation.world.objects[ObjectKey("v1", "Secret", f"web-{first}-login")]
    assert copy["data"] == {"PASSWORD": "b25l"}


def test_another_path_is_another_revision_even_with_the_same_content() -> None:
    one, other = (
        decide_on(World.of(WEB.having(secrets=[{"name": "login", "vault": {"path": path}}])), content(a="1"), request)
        for path, request in ((PATH, REQUEST), ("other", replace(REQUEST, path="other")))
    )
    assert one.status["revisions"]["wanted"] != other.status["revisions"]["wanted"]


def test_revisions_without_vault_are_named_as_before() -> None:
    assert a_taskservice().config(LEVEL="info").revision() == "ffe82aeac3"


# -- vault does not answer -----------------------------------------------------------------------------------------


def test_a_first_release_waits_for_a_sealed_vault_and_is_no_failure() -> None:
    plan = decide_on(World.of(WEB), SEALED)
    assert writes(plan) == []
    assert plan.status["blockedOn"]["kind"] == "VaultSecret"
    assert plan.status["blockedOn"]["name"] == f"secret/{PATH}"
    assert condition(plan.status, "Ready")["status"] == "False"
    assert condition(plan.status, "Reconciling")["status"] == "True"
    assert condition(plan.status, "Stalled")["status"] == "False"
    assert condition(plan.status, "SecretsReady")["reason"] == "VaultSealed"
    assert [note.reason for note in plan.events] == ["VaultSealed"]


def test_a_first_release_that_has_waited_goes_on_by_itself_however_long_it_took() -> None:
    simulation = lived(SEALED, WEB.rollout(progressDeadlineSeconds=60), seconds=200)
    assert simulation.world.status["phase"] != "Failed"
    simulation.world.set_vault(REQUEST, content(PASSWORD="one"))
    simulation.run(30)
    assert condition(simulation.world.status, "Ready")["status"] == "True"
    assert condition(simulation.world.status, "SecretsReady")["status"] == "True"


@pytest.mark.parametrize("cause", sorted(vaulted.CAUSES - {"VaultPending"}))
def test_what_is_live_stays_as_it_is_and_only_a_condition_tells(cause: str) -> None:
    simulation = lived(content(PASSWORD="one"))
    plan = decide_on(simulation.world, VaultTrouble(cause))
    assert writes(plan) == []
    for kind in ("Ready", "Available"):
        assert condition(plan.status, kind) == condition(simulation.world.status, kind)
    assert condition(plan.status, "SecretsReady")["status"] == "False"
    assert condition(plan.status, "SecretsReady")["reason"] == cause
    assert [note.reason for note in plan.events] == [cause]


def test_a_trouble_that_lasts_is_told_once_and_costs_nothing_more() -> None:
    simulation = lived(content(PASSWORD="one"))
    simulation.world.set_vault(REQUEST, SEALED)
    simulation.run(5)
    plan = decide_on(simulation.world, SEALED)
    assert plan.is_empty(simulation.world.status)
    assert plan.events == ()


def test_the_end_of_a_trouble_is_told_once() -> None:
    simulation = lived(content(PASSWORD="one"))
    simulation.world.set_vault(REQUEST, SEALED)
    simulation.run(5)
    plan = decide_on(simulation.world, content(PASSWORD="one"))
    assert [note.reason for note in plan.events] == ["SecretsRead"]
    assert condition(plan.status, "SecretsReady")["status"] == "True"
    assert writes(plan) == []


def test_an_operator_that_has_just_started_writes_nothing_before_it_has_asked() -> None:
    simulation = lived(content(PASSWORD="one"))
    assert decide_on(simulation.world, None).is_empty(simulation.world.status)


def test_a_changed_spec_waits_while_vault_is_sealed_and_what_is_live_serves_on() -> None:
    simulation = lived(content(PASSWORD="one"))
    before = simulation.world.status
    simulation.world.edit(WEB.image("app:2"))
    plan = decide_on(simulation.world, SEALED)
    assert writes(plan) == []
    assert plan.status["revisions"]["active"] == before["revisions"]["active"]
    assert plan.status["blockedOn"]["reason"] == "VaultSealed"
    assert condition(plan.status, "Ready")["status"] == "False"
    assert condition(plan.status, "Available")["status"] == "True"


def test_a_withdrawn_right_gives_nothing_to_a_new_revision() -> None:
    simulation = lived(content(PASSWORD="one"))
    simulation.world.edit(WEB.image("app:2"))
    plan = decide_on(simulation.world, VaultTrouble("VaultDenied"))
    assert writes(plan) == []
    assert condition(plan.status, "Stalled")["status"] == "True"


def test_a_release_under_way_is_finished_with_what_it_began_with() -> None:
    simulation = lived(content(PASSWORD="one"))
    first = simulation.world.status["revisions"]["active"]
    simulation.world.edit(WEB.image("app:2"))
    simulation.run(2)
    assert simulation.world.status["phase"] in ("Staging", "Verifying", "Prescaling", "Promoting")
    simulation.world.set_vault(REQUEST, SEALED)
    simulation.run(60)
    assert simulation.world.status["phase"] == "Stable"
    assert simulation.world.status["revisions"]["active"] != first


def test_what_is_deleted_by_hand_comes_back_while_vault_is_sealed() -> None:
    simulation = lived(content(PASSWORD="one"))
    revision = simulation.world.status["revisions"]["active"]
    simulation.world.remove(ObjectKey("apps/v1", "Deployment", f"web-{revision}"))
    assert writes(decide_on(simulation.world, SEALED)) == [f"Deployment web-{revision}"]


def test_a_rollback_needs_no_vault() -> None:
    simulation = lived(content(PASSWORD="one"))
    first = simulation.world.status["revisions"]["active"]
    simulation.world.set_vault(REQUEST, content(PASSWORD="two"))
    simulation.run(30)
    simulation.world.set_vault(REQUEST, SEALED)
    simulation.world.annotate("rollback", simulation.world.status["revisions"]["active"])
    simulation.run(30)
    assert simulation.world.status["revisions"]["active"] == first


def test_without_vault_secrets_there_is_no_such_condition() -> None:
    plan = decide(World.of(a_taskservice()).snapshot(), START)
    assert condition(plan.status, "SecretsReady") == {}


def test_a_condition_goes_with_the_last_vault_secret() -> None:
    simulation = lived(content(PASSWORD="one"))
    simulation.world.edit(WEB.having(secrets=None))
    assert condition(decide_on(simulation.world, None).status, "SecretsReady") == {}


# -- the sentences -------------------------------------------------------------------------------------------------

SAYS = {
    "VaultNotConfigured": ("vault.address",),
    "VaultSealed": ("unseal", "by itself"),
    "VaultUnreachable": ("vault.address", "by itself"),
    "VaultRoleMissing": ("'default-default'", "ServiceAccount 'default'", "namespace 'default'"),
    "VaultLoginRefused": ("'default-default'", "bound_service_account_names", "audience"),
    "VaultDenied": ("'default-default'", f"'secret/data/{PATH}'"),
    "VaultSecretMissing": (f"vault kv put -mount=secret {PATH}",),
    "VaultAccountMissing": ("ServiceAccount 'default'", "create it"),
    "VaultTokenRefused": ("serviceaccounts/token",),
    "VaultTokenUnavailable": ("asked again",),
}


@pytest.mark.parametrize("cause", SAYS)
def test_a_trouble_says_what_to_do_and_names_the_entry(cause: str) -> None:
    plan = decide_on(World.of(WEB), VaultTrouble(cause, "a detail"))
    message = condition(plan.status, "SecretsReady")["message"]
    for words in (*SAYS[cause], "login", f"secret/{PATH}"):
        assert words in message
    assert len(message) < 500


UNUSABLE = {
    "no such key": ({"key": "b"}, content(a="1"), "VaultKeyMissing", "'b'"),
    "empty": ({}, content(), "VaultSecretUnusable", "write at least one"),
    "bad key": ({}, content(**{"a b": "1"}), "VaultSecretUnusable", "rename"),
    "too large": ({}, content(a="x" * 1_000_001), "VaultSecretUnusable", "split"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_content_that_cannot_be_used_says_what_to_change(case: str) -> None:
    fields, answer, reason, words = UNUSABLE[case]
    resource = a_taskservice().having(secrets=[{"name": "login", "vault": {"path": PATH, **fields}}])
    told = condition(decide_on(World.of(resource), answer).status, "SecretsReady")
    assert told["reason"] == reason
    assert words in told["message"]


def test_one_sentence_tells_how_many_troubles_there_are() -> None:
    entries = [{"name": name, "vault": {"path": name}} for name in ("a", "b", "c")]
    resource = a_taskservice().having(secrets=entries)
    answers: dict[VaultRequest, VaultAnswer] = {
        replace(REQUEST, path="a"): content(a="1"),
        replace(REQUEST, path="b"): VaultTrouble("VaultDenied"),
        replace(REQUEST, path="c"): VaultTrouble("VaultSecretMissing"),
    }
    plan = decide(replace(World.of(resource).snapshot(), vault=answers), START)
    told = condition(plan.status, "SecretsReady")
    assert told["reason"] == "VaultDenied"
    assert told["message"].endswith("(and 1 more)")


def test_a_known_trouble_is_told_before_one_that_is_only_not_answered_yet() -> None:
    entries = [{"name": name, "vault": {"path": name}} for name in ("a", "b")]
    resource = a_taskservice().having(secrets=entries)
    answers: dict[VaultRequest, VaultAnswer] = {replace(REQUEST, path="b"): VaultTrouble("VaultDenied")}
    plan = decide(replace(World.of(resource).snapshot(), vault=answers), START)
    assert condition(plan.status, "SecretsReady")["reason"] == "VaultDenied"
